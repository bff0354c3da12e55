//! An empty DynamoDB in memory that the functions reach over HTTP, as they reach the real one.
//!
//! The embedded database has an HTTP server of its own, as a feature. Enabled here it would be enabled for the whole
//! workspace, and the binary under test would not be the one that is released.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Config, Credentials, Region};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use bytes::Bytes;
use dynoxide::{Database, DynoxideError};
use http::{Request, Response};
use imageshare_local::TABLE;
use imageshare_local::table::EmbeddedTable;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::http_server::HttpServer;

/// The operation that every change of the service is made with.
const TRANSACTION: &str = "TransactWriteItems";

/// The region of the table, and of the functions' environment.
pub const REGION: &str = "eu-west-1";

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is carried out, and its answer is lost behind DynamoDB's front: the caller gets a 500.
    LostAnswer,
    /// It is refused, since too much is asked of the table.
    Throttled,
    /// It meets a transaction on the same item, and is not carried out.
    Conflict,
    /// Of the keys that it reads, the second half is not read.
    Unread,
}

/// A DynamoDB on loopback, gone when it is dropped.
pub struct TableServer {
    server: HttpServer,
    /// How many transactions may still be written.
    transactions: Arc<Semaphore>,
    faults: Faults,
}

/// What goes wrong with the next calls of an operation.
type Faults = Arc<Mutex<HashMap<&'static str, VecDeque<Fault>>>>;

impl TableServer {
    /// A DynamoDB with the service's table, which is empty, on a free port.
    pub async fn start() -> Self {
        let database = EmbeddedTable::open(None).expect("a database in memory").database().clone();
        let transactions = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        let faults = Faults::default();
        let (left, coming) = (Arc::clone(&transactions), Arc::clone(&faults));
        let server = HttpServer::start(move |request| {
            let (database, left, coming) = (database.clone(), Arc::clone(&left), Arc::clone(&coming));
            async move { answer(database, &left, &coming, request).await }
        });
        Self { server: server.await, transactions, faults }
    }

    /// Lets that go wrong with as many calls of an operation, such as `PutItem`, the next ones.
    pub fn fail(&self, operation: &'static str, fault: Fault, times: usize) {
        let mut faults = self.faults.lock().expect("no panic");
        faults.entry(operation).or_default().extend(vec![fault; times]);
    }

    /// Lets nothing go wrong any more.
    pub fn heal(&self) {
        self.faults.lock().expect("no panic").clear();
    }

    /// How many faults are still to come.
    pub fn faults_left(&self) -> usize {
        self.faults.lock().expect("no panic").values().map(VecDeque::len).sum()
    }

    /// Writes so many transactions more; whoever sends a further one waits for [`Self::resume`].
    pub fn stall_after(&self, transactions: usize) {
        self.transactions.forget_permits(Semaphore::MAX_PERMITS);
        self.transactions.add_permits(transactions);
    }

    /// Writes every transaction again.
    pub fn resume(&self) {
        self.transactions.add_permits(Semaphore::MAX_PERMITS - self.transactions.available_permits());
    }

    /// What belongs into a function's `AWS_ENDPOINT_URL_DYNAMODB`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// A client of this DynamoDB.
    pub fn client(&self) -> Client {
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build_https();
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static(REGION))
            .credentials_provider(Credentials::from_keys("test", "test", None))
            .endpoint_url(self.endpoint())
            .http_client(http)
            .build();
        Client::from_conf(config)
    }
}

async fn answer(
    database: Database,
    left: &Semaphore,
    faults: &Faults,
    request: Request<Bytes>,
) -> Response<Bytes> {
    let target =
        request.headers().get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
    if operation == TRANSACTION {
        left.acquire().await.expect("the semaphore is never closed").forget();
    }
    let fault = faults.lock().expect("no panic").get_mut(operation.as_str()).and_then(VecDeque::pop_front);
    // The database blocks its caller.
    let answer = tokio::task::spawn_blocking(move || match fault {
        None => carry_out(&database, &operation, request.body()),
        Some(fault) => failing(fault, &database, &operation, request.body()),
    });
    let (status, json) = answer.await.expect("the database does not panic");
    let response = Response::builder().status(status).header("content-type", "application/x-amz-json-1.0");
    response.body(json.into()).expect("the status is one of HTTP")
}

/// Runs one DynamoDB operation; returns the HTTP status and the body of its answer.
fn carry_out(database: &Database, operation: &str, body: &[u8]) -> (u16, Vec<u8>) {
    match dispatch(database, operation, body) {
        Ok(json) => (200, json),
        Err(error) => (error.status_code(), error.to_json().into_bytes()),
    }
}

/// Runs one DynamoDB operation, with which that goes wrong.
fn failing(fault: Fault, database: &Database, operation: &str, body: &[u8]) -> (u16, Vec<u8>) {
    match fault {
        Fault::LostAnswer => {
            carry_out(database, operation, body);
            refused(500, "InternalServerError", json!({}))
        }
        Fault::Throttled => refused(400, "ProvisionedThroughputExceededException", json!({})),
        Fault::Conflict if operation == TRANSACTION => {
            let reasons = json!({"CancellationReasons": [{"Code": "TransactionConflict", "Message": "met"}]});
            refused(400, "TransactionCanceledException", reasons)
        }
        Fault::Conflict => refused(400, "TransactionConflictException", json!({})),
        Fault::Unread => {
            let mut request: Value = serde_json::from_slice(body).expect("the SDK sends JSON");
            let keys = &mut request["RequestItems"][TABLE]["Keys"];
            let keys = keys.as_array_mut().expect("a batch read");
            let unread = keys.split_off(keys.len() / 2);
            if keys.is_empty() {
                let none = json!({ "Responses": {}, "UnprocessedKeys": { TABLE: { "Keys": unread } } });
                return (200, none.to_string().into_bytes());
            }
            let (status, answer) = carry_out(database, operation, request.to_string().as_bytes());
            let mut answer: Value = serde_json::from_slice(&answer).expect("an answer is JSON");
            answer["UnprocessedKeys"] = json!({ TABLE: { "Keys": unread } });
            (status, answer.to_string().into_bytes())
        }
    }
}

/// DynamoDB's answer with that error.
fn refused(status: u16, code: &str, mut more: Value) -> (u16, Vec<u8>) {
    more["__type"] = format!("com.amazonaws.dynamodb.v20120810#{code}").into();
    more["message"] = "as the test wants it".into();
    (status, more.to_string().into_bytes())
}

/// Runs one DynamoDB operation.
fn dispatch(database: &Database, operation: &str, body: &[u8]) -> Result<Vec<u8>, DynoxideError> {
    macro_rules! route {
        ($($name:pat => $method:ident),* $(,)?) => {
            match operation {
                $($name => {
                    let request = serde_json::from_slice(body).map_err(|error| rejected(&error))?;
                    Ok(serde_json::to_vec(&database.$method(request)?).expect("an answer is JSON"))
                })*
                _ => Err(DynoxideError::ValidationException(format!("unsupported: {operation}"))),
            }
        };
    }
    route! {
        "GetItem" => get_item,
        "PutItem" => put_item,
        "UpdateItem" => update_item,
        "DeleteItem" => delete_item,
        "Query" => query,
        "Scan" => scan,
        "BatchGetItem" => batch_get_item,
        TRANSACTION => transact_write_items,
    }
}

/// Checks that the database makes while it decodes a request surface as marked decoding errors.
fn rejected(error: &serde_json::Error) -> DynoxideError {
    let text = error.to_string();
    match text.strip_prefix("VALIDATION:") {
        Some(message) => DynoxideError::ValidationException(message.to_owned()),
        None => DynoxideError::SerializationException(text),
    }
}
