//! The test table itself: it conflicts where DynamoDB's documentation says so, and nowhere else.

use std::time::Duration;

use futures_util::future::join_all;
use imageshare::table::{
    AttributeValue, BatchRead, CONDITION_FAILED, CancelReason, Item, Key, Projection, Query, Table,
    TableError, TransactionToken, Write, WriteOutput,
};
use imageshare_local::table::{EmbeddedTable, Lane};
use imageshare_tests::blocking_table::BlockingTable;
use imageshare_tests::conflicting_table::{
    CallReport, CallStats, ConflictingTable, Latencies, Operation, TRANSACTION_CONFLICT,
};
use tokio::time::{Instant, sleep};

fn table() -> ConflictingTable {
    let lane = EmbeddedTable::open(None).unwrap().lane(Lane::Request);
    ConflictingTable::new(BlockingTable::new(lane), Latencies::default())
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

fn check_absent(id: &str) -> Write {
    Write::check(key(id)).only_if("attribute_not_exists(pk)")
}

fn update(id: &str) -> Write {
    Write::update(key(id), "SET content = :new").value(":new", text("updated"))
}

async fn sleep_millis(millis: u64) {
    sleep(Duration::from_millis(millis)).await;
}

async fn transact(table: &ConflictingTable, writes: &[Write]) -> Result<WriteOutput, TableError> {
    table.transact_write_items(writes, TransactionToken::random()).await
}

async fn transact_after(
    table: &ConflictingTable,
    millis: u64,
    writes: &[Write],
) -> Result<WriteOutput, TableError> {
    sleep_millis(millis).await;
    transact(table, writes).await
}

async fn write_after(
    table: &ConflictingTable,
    millis: u64,
    write: &Write,
) -> Result<WriteOutput, TableError> {
    sleep_millis(millis).await;
    table.write_item(write).await
}

/// The codes of a cancelled transaction's reasons, in order; `None` is a text in DynamoDB.
fn cancellation_codes(canceled: Result<WriteOutput, TableError>) -> Vec<String> {
    let code = |reason: CancelReason| reason.code.unwrap_or("None".to_owned());
    match canceled {
        Err(TableError::Canceled(reasons)) => reasons.into_iter().map(code).collect(),
        other => panic!("{other:?}"),
    }
}

/// The code of a rejected call.
fn error_code(rejected: Result<WriteOutput, TableError>) -> String {
    match rejected {
        Err(TableError::Service { code, .. }) => code,
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
async fn overlapping_transaction_is_cancelled() {
    let table = table();
    let (first, second) = ([put("a"), put("b")], [put("c"), update("b"), put("d")]);
    let (first, second) = tokio::join!(transact(&table, &first), transact_after(&table, 1, &second));
    first.unwrap();
    assert_eq!(cancellation_codes(second), ["None", TRANSACTION_CONFLICT, "None"]);
    assert_eq!(contents(&table, ["a", "b", "c", "d"]).await, ["new", "new", "-", "-"]);
}

#[tokio::test(start_paused = true)]
async fn checked_item_conflicts_with_a_write_and_with_a_check() {
    for (first, second) in [
        (check_absent("a"), put("a")),
        (put("a"), check_absent("a")),
        (check_absent("a"), check_absent("a")),
        (put("a"), put("a")),
    ] {
        let table = table();
        let (first, second) = ([first, put("b")], [put("c"), second]);
        let (first, second) = tokio::join!(transact(&table, &first), transact_after(&table, 9, &second));
        first.unwrap();
        assert_eq!(cancellation_codes(second), ["None", TRANSACTION_CONFLICT]);
    }
}

#[tokio::test(start_paused = true)]
async fn plain_write_during_a_transaction_is_rejected() {
    for plain in [put("a"), update("a"), Write::delete(key("a"))] {
        for in_transaction in [put("a"), check_absent("a")] {
            let table = table();
            let writes = [in_transaction, put("b")];
            let (transaction, plain) =
                tokio::join!(transact(&table, &writes), write_after(&table, 2, &plain));
            transaction.unwrap();
            assert_eq!(error_code(plain), "TransactionConflictException");
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
    assert_eq!((table.report().writes().succeeded, table.report().writes().conflicts), (4, 0));
}

#[tokio::test(start_paused = true)]
async fn plain_write_in_progress_does_not_cancel_a_transaction() {
    let table = table();
    let (plain, writes) = (put("a"), [update("a")]);
    // The plain write is executed 2.5 ms after its request; the transaction begins 2 ms later and ends last.
    let (plain, transaction) = tokio::join!(table.write_item(&plain), transact_after(&table, 4, &writes));
    plain.unwrap();
    transaction.unwrap();
    assert_eq!(contents(&table, ["a"]).await, ["updated"]);
}

#[tokio::test(start_paused = true)]
async fn items_are_released_when_the_transaction_completes() {
    let table = table();
    let writes = [put("a"), check_absent("b")];
    let (first, second) = tokio::join!(transact(&table, &writes), transact_after(&table, 10, &writes));
    let plain = table.write_item(&put("a")).await;
    assert!(first.is_ok() && second.is_ok() && plain.is_ok(), "{first:?} {second:?} {plain:?}");
    assert_eq!(table.report().writes().conflicts, 0);
}

#[tokio::test(start_paused = true)]
async fn cancelled_transaction_holds_its_items_until_it_returns() {
    let table = table();
    let (first, second, next) = ([put("a")], [put("a"), put("b")], [put("b")]);
    let (_, second, third, fourth) = tokio::join!(
        transact(&table, &first),
        transact_after(&table, 1, &second),
        transact_after(&table, 5, &next),
        transact_after(&table, 6, &next),
    );
    assert_eq!(cancellation_codes(second), [TRANSACTION_CONFLICT, "None"]);
    assert_eq!(cancellation_codes(third), [TRANSACTION_CONFLICT]);
    fourth.unwrap();
}

#[tokio::test(start_paused = true)]
async fn cancelled_transaction_does_not_release_the_winners_items() {
    let table = table();
    let writes = [put("a")];
    // The response to the second comes after 6 ms; the first one holds the item until 10 ms.
    let (first, _, third) = tokio::join!(
        transact(&table, &writes),
        transact_after(&table, 1, &writes),
        transact_after(&table, 8, &writes)
    );
    first.unwrap();
    assert_eq!(cancellation_codes(third), [TRANSACTION_CONFLICT]);
}

#[tokio::test(start_paused = true)]
async fn reads_are_never_rejected_and_see_committed_data() {
    let table = table();
    table.write_item(&put("a")).await.unwrap();
    let writes = [update("a"), put("b")];
    let batch = BatchRead {
        keys: vec![key("a"), key("b")],
        consistent: true,
        projection: Projection::Only(&["content"]),
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
async fn call_completes_after_its_caller_times_out() {
    let table = table();
    let writes = [put("a")];
    let call = transact(&table, &writes);
    tokio::time::timeout(Duration::from_millis(3), call).await.unwrap_err();
    assert_eq!(cancellation_codes(transact(&table, &writes).await), [TRANSACTION_CONFLICT]);
    sleep_millis(10).await;
    assert_eq!(contents(&table, ["a"]).await, ["new"]);
}

#[tokio::test(start_paused = true)]
async fn units_of_cancelled_transactions_count_as_waste() {
    let table = table();
    let large = Write::put(item("large", &"x".repeat(1500)));
    let writes = [large, put("a")];
    let (_, canceled) = tokio::join!(transact(&table, &writes), transact_after(&table, 1, &writes));
    assert_eq!(cancellation_codes(canceled), [TRANSACTION_CONFLICT, TRANSACTION_CONFLICT]);
    // Two units per KB: two KB of the large item, one of the other.
    let stats =
        CallStats { succeeded: 1, conflicts: 1, failed_conditions: 0, used_units: 6.0, wasted_units: 6.0 };
    assert_eq!(table.report().stats(Operation::TransactWriteItems), stats);

    let stale = [check_absent("large"), put("b")];
    assert_eq!(cancellation_codes(transact(&table, &stale).await), [CONDITION_FAILED, "None"]);
    let stats = CallStats { failed_conditions: 1, wasted_units: 12.0, ..stats };
    assert_eq!(table.report().stats(Operation::TransactWriteItems), stats);
}

#[tokio::test(start_paused = true)]
async fn units_of_rejected_plain_writes_count_as_waste() {
    let table = table();
    table.write_item(&Write::put(item("a", &"x".repeat(1500)))).await.unwrap();
    let stale = update("a").only_if("attribute_not_exists(pk)");
    assert_eq!(cancellation_codes(table.write_item(&stale).await), [CONDITION_FAILED]);
    let (update, check) = (update("a"), [Write::check(key("a")).only_if("attribute_exists(pk)")]);
    let (_, rejected) = tokio::join!(transact(&table, &check), table.write_item(&update));
    assert_eq!(error_code(rejected), "TransactionConflictException");
    let stats =
        CallStats { succeeded: 0, conflicts: 1, failed_conditions: 1, used_units: 0.0, wasted_units: 4.0 };
    assert_eq!(table.report().stats(Operation::UpdateItem), stats);
    let writes = table.report().writes();
    assert_eq!((writes.succeeded, writes.conflicts, writes.failed_conditions), (2, 1, 1));
    // 4 for the updates, besides 2 for the put and 4 for the check.
    assert!((table.report().waste_ratio() - 4.0 / 6.0).abs() < 1e-9, "{}", table.report());
}

/// Forty clients that write three of ten items each, repeated until the write succeeds.
async fn run_contending_clients(seed: u64) -> (CallReport, Duration) {
    fastrand::seed(seed);
    let (table, begun) = (table(), Instant::now());
    let clients = (0..40).map(|number| {
        let table = &table;
        let ids = [number % 10, (number + 3) % 10, (number + 7) % 10].map(|id| id.to_string());
        async move {
            let writes = ids.each_ref().map(|id| put(id));
            while transact(table, &writes).await.is_err() {
                sleep_millis(fastrand::u64(0..50)).await;
            }
        }
    });
    join_all(clients).await;
    (table.report(), begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn conflict_sequence_is_deterministic_for_a_seed() {
    let (report, took) = run_contending_clients(1).await;
    assert!(report.writes().conflicts > 40, "{report}");
    assert_eq!(run_contending_clients(1).await, (report.clone(), took));
    assert_ne!(run_contending_clients(2).await, (report, took));
}
