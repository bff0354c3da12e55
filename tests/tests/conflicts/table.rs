//! The table itself: it conflicts where DynamoDB's documentation says so, and nowhere else.

use std::time::Duration;

use futures_util::future::join_all;
use imageshare::table::{
    AttributeValue, Attributes, BatchRead, CONDITION_FAILED, Failure, Item, Key, Query, Reason, Table, Token,
    Write, Written,
};
use imageshare_local::table::{EmbeddedTable, Lane};
use imageshare_tests::conflicting_table::{CONFLICT, ConflictingTable, Latencies, Operation, Report, Tally};
use imageshare_tests::direct_table::DirectTable;
use tokio::time::{Instant, sleep};

fn table() -> ConflictingTable {
    let lane = EmbeddedTable::open(None).unwrap().lane(Lane::Request);
    ConflictingTable::new(DirectTable::new(lane), Latencies::default())
}

fn text(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

fn key(id: &str) -> Key {
    Key::from([("pk".to_owned(), text(id)), ("sk".to_owned(), text("A"))])
}

fn item(id: &str, content: &str) -> Item {
    let mut item = key(id);
    item.insert("content".to_owned(), text(content));
    item
}

fn put(id: &str) -> Write {
    Write::put(item(id, "new"))
}

fn absent(id: &str) -> Write {
    Write::check(key(id)).only_if("attribute_not_exists(pk)")
}

fn update(id: &str) -> Write {
    Write::update(key(id), "SET content = :new").value(":new", text("updated"))
}

async fn after(millis: u64) {
    sleep(Duration::from_millis(millis)).await;
}

async fn transact(table: &ConflictingTable, writes: &[Write]) -> Result<Written, Failure> {
    table.transact_write_items(writes, Token::fresh()).await
}

async fn later(table: &ConflictingTable, millis: u64, writes: &[Write]) -> Result<Written, Failure> {
    after(millis).await;
    transact(table, writes).await
}

async fn write_later(table: &ConflictingTable, millis: u64, write: &Write) -> Result<Written, Failure> {
    after(millis).await;
    table.write_item(write).await
}

/// The codes of a cancelled transaction's reasons, in order; `None` as DynamoDB writes it.
fn codes(canceled: Result<Written, Failure>) -> Vec<String> {
    let code = |reason: Reason| reason.code.unwrap_or("None".to_owned());
    match canceled {
        Err(Failure::Canceled(reasons)) => reasons.into_iter().map(code).collect(),
        other => panic!("{other:?}"),
    }
}

/// The code of a rejected call.
fn code(rejected: Result<Written, Failure>) -> String {
    match rejected {
        Err(Failure::Service { code, .. }) => code,
        other => panic!("{other:?}"),
    }
}

/// The contents of some items, `-` for a missing one.
async fn contents<const N: usize>(table: &ConflictingTable, ids: [&str; N]) -> [String; N] {
    let reads = join_all(ids.map(async |id| table.get_item(&key(id)).await.unwrap().items)).await;
    let content = |items: &Vec<Item>| items.first().map(|item| item["content"].as_s().unwrap().clone());
    let contents: Vec<_> = reads.iter().map(|items| content(items).unwrap_or("-".to_owned())).collect();
    contents.try_into().unwrap()
}

#[tokio::test(start_paused = true)]
async fn transaction_on_an_item_of_another_is_cancelled() {
    let table = table();
    let (first, second) = ([put("a"), put("b")], [put("c"), update("b"), put("d")]);
    let (first, second) = tokio::join!(transact(&table, &first), later(&table, 1, &second));
    first.unwrap();
    assert_eq!(codes(second), ["None", CONFLICT, "None"]);
    assert_eq!(contents(&table, ["a", "b", "c", "d"]).await, ["new", "new", "-", "-"]);
}

#[tokio::test(start_paused = true)]
async fn checked_item_conflicts_with_a_write_and_with_a_check() {
    for (first, second) in
        [(absent("a"), put("a")), (put("a"), absent("a")), (absent("a"), absent("a")), (put("a"), put("a"))]
    {
        let table = table();
        let (first, second) = ([first, put("b")], [put("c"), second]);
        let (first, second) = tokio::join!(transact(&table, &first), later(&table, 9, &second));
        first.unwrap();
        assert_eq!(codes(second), ["None", CONFLICT]);
    }
}

#[tokio::test(start_paused = true)]
async fn plain_write_into_a_transaction_is_rejected() {
    for plain in [put("a"), update("a"), Write::delete(key("a"))] {
        for in_transaction in [put("a"), absent("a")] {
            let table = table();
            let writes = [in_transaction, put("b")];
            let (transaction, plain) =
                tokio::join!(transact(&table, &writes), write_later(&table, 2, &plain));
            transaction.unwrap();
            assert_eq!(code(plain), "TransactionConflictException");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn plain_writes_do_not_conflict_with_each_other() {
    let table = table();
    let plain = join_all([put("a"), update("a"), put("a")].map(async |w| table.write_item(&w).await));
    let writes = [put("b")];
    let (plain, other) = tokio::join!(plain, transact(&table, &writes));
    assert!(plain.iter().all(Result::is_ok), "{plain:?}");
    other.unwrap();
    assert_eq!((table.report().writes().made, table.report().writes().conflicts), (4, 0));
}

#[tokio::test(start_paused = true)]
async fn plain_write_under_way_cancels_no_transaction() {
    let table = table();
    let (plain, writes) = (put("a"), [update("a")]);
    // The plain write is made 2.5 ms after its request, the transaction begins 2 ms later and ends last.
    let (plain, transaction) = tokio::join!(table.write_item(&plain), later(&table, 4, &writes));
    plain.unwrap();
    transaction.unwrap();
    assert_eq!(contents(&table, ["a"]).await, ["updated"]);
}

#[tokio::test(start_paused = true)]
async fn items_are_free_once_the_transaction_has_been_answered() {
    let table = table();
    let writes = [put("a"), absent("b")];
    let (first, second) = tokio::join!(transact(&table, &writes), later(&table, 10, &writes));
    let plain = table.write_item(&put("a")).await;
    assert!(first.is_ok() && second.is_ok() && plain.is_ok(), "{first:?} {second:?} {plain:?}");
    assert_eq!(table.report().writes().conflicts, 0);
}

#[tokio::test(start_paused = true)]
async fn cancelled_transaction_holds_what_it_got_until_its_answer() {
    let table = table();
    let (first, second, next) = ([put("a")], [put("a"), put("b")], [put("b")]);
    let (_, second, third, fourth) = tokio::join!(
        transact(&table, &first),
        later(&table, 1, &second),
        later(&table, 5, &next),
        later(&table, 6, &next),
    );
    assert_eq!(codes(second), [CONFLICT, "None"]);
    assert_eq!(codes(third), [CONFLICT]);
    fourth.unwrap();
}

#[tokio::test(start_paused = true)]
async fn cancelled_transaction_leaves_the_winner_its_items() {
    let table = table();
    let writes = [put("a")];
    // The second is answered after 6 ms; the item is the first one's until 10 ms.
    let (first, _, third) =
        tokio::join!(transact(&table, &writes), later(&table, 1, &writes), later(&table, 8, &writes));
    first.unwrap();
    assert_eq!(codes(third), [CONFLICT]);
}

#[tokio::test(start_paused = true)]
async fn reads_are_never_rejected_and_see_what_was_committed() {
    let table = table();
    table.write_item(&put("a")).await.unwrap();
    let writes = [update("a"), put("b")];
    let batch = BatchRead {
        keys: vec![key("a"), key("b")],
        consistent: true,
        attributes: Attributes::These(&["content"]),
    };
    let query = Query::new("pk = :a").value(":a", text("a"));
    let (a, a_and_b) = (key("a"), transact(&table, &writes));
    let (made, one, batch, page) =
        tokio::join!(a_and_b, table.get_item(&a), table.batch_get_item(&batch), table.query(&query));
    made.unwrap();
    let old = Item::from([("content".to_owned(), text("new"))]);
    assert_eq!((one.unwrap().items, page.unwrap().items), (vec![item("a", "new")], vec![item("a", "new")]));
    assert_eq!(batch.unwrap().items, [old]);
    assert_eq!(contents(&table, ["a", "b"]).await, ["updated", "new"]);
}

#[tokio::test(start_paused = true)]
async fn calls_take_their_latency_in_virtual_time() {
    let table = table();
    let (plain, a) = (put("a"), key("a"));
    let begun = Instant::now();
    table.write_item(&plain).await.unwrap();
    assert_eq!(begun.elapsed(), Duration::from_millis(5));
    table.get_item(&a).await.unwrap();
    assert_eq!(begun.elapsed(), Duration::from_millis(9));
    transact(&table, &[put("a")]).await.unwrap();
    assert_eq!(begun.elapsed(), Duration::from_millis(19));
}

#[tokio::test(start_paused = true)]
async fn call_ends_though_its_caller_stopped_waiting() {
    let table = table();
    let writes = [put("a")];
    let call = transact(&table, &writes);
    tokio::time::timeout(Duration::from_millis(3), call).await.unwrap_err();
    assert_eq!(codes(transact(&table, &writes).await), [CONFLICT]);
    after(10).await;
    assert_eq!(contents(&table, ["a"]).await, ["new"]);
}

#[tokio::test(start_paused = true)]
async fn units_of_what_was_cancelled_are_wasted() {
    let table = table();
    let large = Write::put(item("large", &"x".repeat(1500)));
    let writes = [large, put("a")];
    let (_, canceled) = tokio::join!(transact(&table, &writes), later(&table, 1, &writes));
    assert_eq!(codes(canceled), [CONFLICT, CONFLICT]);
    // Two units for each KB: two of the large item, one of the other.
    let tally = Tally { made: 1, conflicts: 1, stale: 0, used: 6.0, wasted: 6.0 };
    assert_eq!(table.report().of(Operation::TransactWriteItems), tally);

    let stale = [absent("large"), put("b")];
    assert_eq!(codes(transact(&table, &stale).await), [CONDITION_FAILED, "None"]);
    let tally = Tally { stale: 1, wasted: 12.0, ..tally };
    assert_eq!(table.report().of(Operation::TransactWriteItems), tally);
}

#[tokio::test(start_paused = true)]
async fn units_of_rejected_plain_writes_are_wasted() {
    let table = table();
    table.write_item(&Write::put(item("a", &"x".repeat(1500)))).await.unwrap();
    let stale = update("a").only_if("attribute_not_exists(pk)");
    assert_eq!(codes(table.write_item(&stale).await), [CONDITION_FAILED]);
    let (update, check) = (update("a"), [Write::check(key("a")).only_if("attribute_exists(pk)")]);
    let (_, rejected) = tokio::join!(transact(&table, &check), table.write_item(&update));
    assert_eq!(code(rejected), "TransactionConflictException");
    let tally = Tally { made: 0, conflicts: 1, stale: 1, used: 0.0, wasted: 4.0 };
    assert_eq!(table.report().of(Operation::UpdateItem), tally);
    let writes = table.report().writes();
    assert_eq!((writes.made, writes.conflicts, writes.stale), (2, 1, 1));
    // 4 of the updates, beside 2 of the put and 4 of the check.
    assert!((table.report().waste() - 4.0 / 6.0).abs() < 1e-9, "{}", table.report());
}

/// Forty clients that write three of ten items each, again and again until they have written them.
async fn crowd(seed: u64) -> (Report, Duration) {
    fastrand::seed(seed);
    let (table, begun) = (table(), Instant::now());
    let clients = (0..40).map(|number| {
        let table = &table;
        let ids = [number % 10, (number + 3) % 10, (number + 7) % 10].map(|id| id.to_string());
        async move {
            let writes = ids.each_ref().map(|id| put(id));
            while transact(table, &writes).await.is_err() {
                after(fastrand::u64(0..50)).await;
            }
        }
    });
    join_all(clients).await;
    (table.report(), begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn one_seed_gives_one_sequence_of_conflicts() {
    let (report, took) = crowd(1).await;
    assert!(report.writes().conflicts > 40, "{report}");
    assert_eq!(crowd(1).await, (report.clone(), took));
    assert_ne!(crowd(2).await, (report, took));
}
