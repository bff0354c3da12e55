//! Both implementations of the table behave alike: the SDK over HTTP, as on AWS, and the embedded table. A test over
//! one of them holds for the other. And what a call needs of IAM is what its request on the wire needs.

use imageshare::table::{
    Action, AttributeValue, BatchRead, CONDITION_FAILED, CancelReason, DynamoDb, Item, Key, Page, Projection,
    Query, ReadOutput, Table, TableError, TransactionToken, Write, WriteOutput,
};
use imageshare_local::TABLE;
use imageshare_local::table::{EmbeddedTable, Lane};
use imageshare_tests::permissions::{Access, Permissions};
use imageshare_tests::table_server::TableServer;

/// The result of one call.
#[derive(Debug, PartialEq)]
enum CallResult {
    Found(Result<ReadOutput, TableError>),
    Page(Result<Page, TableError>),
    Written(Result<WriteOutput, TableError>),
}

impl CallResult {
    fn unwrap_written(self) -> WriteOutput {
        match self {
            Self::Written(written) => written.unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn unwrap_cancellation_reasons(self) -> Vec<CancelReason> {
        match self {
            Self::Written(Err(TableError::Canceled(reasons))) => reasons,
            other => panic!("{other:?}"),
        }
    }

    fn unwrap_page(self) -> Page {
        match self {
            Self::Page(page) => page.unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn unwrap_found(self) -> ReadOutput {
        match self {
            Self::Found(found) => found.unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn unwrap_error_code(self) -> String {
        match self {
            Self::Found(Err(TableError::Service { code, .. }))
            | Self::Page(Err(TableError::Service { code, .. }))
            | Self::Written(Err(TableError::Service { code, .. })) => code,
            other => panic!("{other:?}"),
        }
    }
}

/// Both tables; each call goes to both.
struct TablePair {
    sdk: DynamoDb,
    embedded: Box<dyn Table>,
    server: TableServer,
}

impl TablePair {
    async fn start() -> Self {
        let server = TableServer::start().await;
        let embedded = EmbeddedTable::open(None).unwrap().lane(Lane::Request);
        Self { sdk: DynamoDb::new(server.client(), TABLE), embedded: Box::new(embedded), server }
    }

    async fn write(&self, write: Write) -> CallResult {
        let from_sdk = CallResult::Written(self.sdk.write_item(&write).await);
        // A check has no request of its own.
        if !matches!(write.action, Action::Check(_)) {
            self.assert_sent(Access::of_writes(std::slice::from_ref(&write)));
        }
        assert_same(from_sdk, CallResult::Written(self.embedded.write_item(&write).await))
    }

    async fn transact(&self, writes: &[Write]) -> CallResult {
        let from_sdk =
            CallResult::Written(self.sdk.transact_write_items(writes, TransactionToken::random()).await);
        self.assert_sent(Access::of_writes(writes));
        assert_same(
            from_sdk,
            CallResult::Written(self.embedded.transact_write_items(writes, TransactionToken::random()).await),
        )
    }

    async fn get(&self, key: Key) -> CallResult {
        let from_sdk = CallResult::Found(self.sdk.get_item(&key).await);
        self.assert_sent(Access::of_get(&key));
        assert_same(from_sdk, CallResult::Found(self.embedded.get_item(&key).await))
    }

    async fn batch_get(&self, read: BatchRead) -> CallResult {
        let from_sdk = CallResult::Found(self.sdk.batch_get_item(&read).await.map(sort_items));
        self.assert_sent(Access::of_batch_get(&read));
        assert_same(from_sdk, CallResult::Found(self.embedded.batch_get_item(&read).await.map(sort_items)))
    }

    async fn query(&self, query: Query) -> CallResult {
        let from_sdk = CallResult::Page(self.sdk.query(&query).await);
        self.assert_sent(Access::of_query(&query));
        assert_same(from_sdk, CallResult::Page(self.embedded.query(&query).await))
    }

    /// Asserts that the SDK has just sent a request with these accesses.
    fn assert_sent(&self, expected: Vec<Access>) {
        let (sent, mut listed) = (self.server.take_accesses(), Permissions::default());
        for access in expected {
            listed.insert("test", access);
        }
        assert_eq!(sent, listed);
    }
}

fn assert_same(sdk: CallResult, embedded: CallResult) -> CallResult {
    assert_eq!(sdk, embedded);
    sdk
}

/// A batch read returns items in no order.
fn sort_items(mut found: ReadOutput) -> ReadOutput {
    found.items.sort_by_key(|item| format!("{:?}", item.get("sk")));
    found
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn number(number: u32) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn key(sk: &str) -> Key {
    Key::from([("pk".to_owned(), text("p")), ("sk".to_owned(), text(sk))])
}

fn item(sk: &str, attributes: &[(&str, AttributeValue)]) -> Item {
    let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    key(sk).into_iter().chain(attributes).collect()
}

/// An item of the index, at a position of the list `l`.
fn index_item(sk: &str, place: u32) -> Item {
    item(sk, &[("gpk", text("l")), ("gsk", text(&format!("{place:03}"))), ("n", number(place))])
}

#[tokio::test]
async fn of_writes_alone() {
    let both = TablePair::start().await;
    let first = item("a", &[("n", number(1))]);
    let put = Write::put(first.clone()).only_if("attribute_not_exists(pk)");
    assert!(both.write(put.clone()).await.unwrap_written().units > 0.0);
    let reasons = both.write(put).await.unwrap_cancellation_reasons();
    assert_eq!(reasons.len(), 1);
    assert_eq!((reasons[0].code.as_deref(), &reasons[0].found), (Some(CONDITION_FAILED), &Some(first)));

    let add = Write::update(key("a"), "ADD n :two").only_if("#n = :one").name("#n", "n");
    let add = add.value(":one", number(1)).value(":two", number(2));
    assert_eq!(both.write(add.clone()).await.unwrap_written().updated, [("n".to_owned(), number(3))].into());
    assert_eq!(both.write(add).await.unwrap_cancellation_reasons()[0].found, None);

    let delete = Write::delete(key("a")).only_if("n = :three").value(":three", number(3));
    both.write(delete.clone()).await.unwrap_written();
    both.write(delete).await.unwrap_cancellation_reasons();
    assert!(both.get(key("a")).await.unwrap_found().items.is_empty());
}

#[tokio::test]
async fn of_transactions() {
    let both = TablePair::start().await;
    let existing = item("b", &[("n", number(1))]);
    let writes = [
        Write::put(item("a", &[])).only_if("attribute_not_exists(pk)"),
        Write::put(existing.clone()),
        Write::update(key("c"), "ADD n :one").value(":one", number(1)),
        Write::delete(key("d")),
    ];
    assert!(both.transact(&writes).await.unwrap_written().units > 0.0);
    let again = [
        Write::delete(key("c")),
        Write::put(existing.clone()).only_if("attribute_not_exists(pk)"),
        Write::update(key("a"), "SET n = :one").only_if("n = :one").value(":one", number(1)),
    ];
    let reasons = both.transact(&again).await.unwrap_cancellation_reasons();
    let codes: Vec<_> = reasons.iter().map(|reason| reason.code.as_deref()).collect();
    assert_eq!(codes, [None, Some(CONDITION_FAILED), Some(CONDITION_FAILED)]);
    assert_eq!((&reasons[1].found, &reasons[2].found), (&Some(existing), &None));
    let if_there = |sk: &str| Write::check(key(sk)).only_if("attribute_exists(pk)");
    let reasons =
        both.transact(&[if_there("e"), Write::put(item("f", &[]))]).await.unwrap_cancellation_reasons();
    assert_eq!((reasons[0].code.as_deref(), &reasons[1].code), (Some(CONDITION_FAILED), &None));
    assert!(both.transact(&[if_there("a"), Write::put(item("f", &[]))]).await.unwrap_written().units > 0.0);
    assert_eq!(both.get(key("f")).await.unwrap_found().items, [item("f", &[])]);
    assert_eq!(both.write(if_there("a")).await.unwrap_error_code(), "ValidationException");
    assert_eq!(both.get(key("c")).await.unwrap_found().items, [item("c", &[("n", number(1))])]);
}

#[tokio::test]
async fn of_reads_by_key() {
    let both = TablePair::start().await;
    let long = "x".repeat(5_000);
    let whole =
        item("b", &[("owner", text("o")), ("long", text(&long)), ("odd \" ü \u{1}", text("\u{0}\\"))]);
    both.write(Write::put(whole.clone())).await.unwrap_written();
    both.write(Write::put(item("a", &[("owner", text("o"))]))).await.unwrap_written();
    let keys = vec![key("a"), key("b"), key("missing")];
    let all = BatchRead { keys, consistent: true, projection: Projection::All };
    let found = both.batch_get(all.clone()).await.unwrap_found();
    assert_eq!((found.items.len(), &found.items[1], found.unprocessed.len()), (2, &whole, 0));
    let some = BatchRead { consistent: false, projection: Projection::Only(&["sk", "owner"]), ..all };
    let half = both.batch_get(some).await.unwrap_found();
    assert_eq!(half.items[0], [("sk".to_owned(), text("a")), ("owner".to_owned(), text("o"))].into());
    assert!(half.units < found.units, "half the units");
    assert_eq!(both.get(key("b")).await.unwrap_found().items, [whole]);
}

#[tokio::test]
async fn of_queries() {
    let both = TablePair::start().await;
    for place in 0..7 {
        both.write(Write::put(index_item(&format!("m{place}"), place))).await.unwrap_written();
    }
    both.write(Write::put(item("z", &[("n", number(9))]))).await.unwrap_written();

    let members = Query::new("pk = :p AND begins_with(sk, :m)").value(":p", text("p")).value(":m", text("m"));
    let mut pages = Query { filter: Some("n <> :three"), limit: Some(3), consistent: true, ..members };
    pages = pages.value(":three", number(3));
    let mut read = Vec::new();
    loop {
        let page = both.query(pages.clone()).await.unwrap_page();
        assert_eq!(page.count, page.items.len());
        read.extend(page.items.iter().map(|item| item["n"].clone()));
        pages.start = page.next;
        if pages.start.is_none() {
            break;
        }
    }
    assert_eq!(read, [0, 1, 2, 4, 5, 6].map(number));

    let list = Query::new("gpk = :l AND gsk < :after").value(":l", text("l")).value(":after", text("005"));
    let list = Query { index: Some("lists"), descending: true, limit: Some(2), ..list };
    let places = Query { projection: Projection::Only(&["gsk"]), ..list.clone() };
    let page = both.query(places).await.unwrap_page();
    assert_eq!(page.items, ["004", "003"].map(|place| Item::from([("gsk".to_owned(), text(place))])));
    assert!(page.next.is_some());
    let counted = Query { projection: Projection::Count, limit: None, ..list };
    let page = both.query(counted).await.unwrap_page();
    assert_eq!((page.count, page.items.len(), page.next), (5, 0, None));
}

#[tokio::test]
async fn validation_errors_are_the_same() {
    let both = TablePair::start().await;
    let bad = Write::put(item("a", &[])).only_if("no such expression");
    assert_eq!(both.write(bad.clone()).await.unwrap_error_code(), "ValidationException");
    assert_eq!(both.transact(&[bad]).await.unwrap_error_code(), "ValidationException");
    assert_eq!(both.query(Query::new("pk = :missing")).await.unwrap_error_code(), "ValidationException");
    let keyless = Item::from([("pk".to_owned(), text("p"))]);
    assert_eq!(both.get(keyless.clone()).await.unwrap_error_code(), "ValidationException");
    assert_eq!(both.write(Write::put(keyless)).await.unwrap_error_code(), "ValidationException");
    let huge = item("a", &[("n", text(&"x".repeat(410 * 1024)))]);
    assert_eq!(both.write(Write::put(huge)).await.unwrap_error_code(), "ValidationException");
    let many: Vec<_> = (0..101).map(|number| Write::delete(key(&format!("m{number}")))).collect();
    assert_eq!(both.transact(&many).await.unwrap_error_code(), "ValidationException");
    let twice = [Write::put(item("a", &[])), Write::delete(key("a"))];
    assert_eq!(both.transact(&twice).await.unwrap_error_code(), "ValidationException");
    assert!(both.get(key("a")).await.unwrap_found().items.is_empty());
}
