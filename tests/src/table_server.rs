//! An empty DynamoDB in memory that the functions reach over HTTP, as they reach the real one.
//!
//! The embedded database has an HTTP server of its own, as a feature. Enabled here it would be enabled for the whole
//! workspace, and the binary under test would not be the one that is released.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Config, Credentials, Region};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use bytes::Bytes;
use dynoxide::{Database, DynoxideError};
use http::{Request, Response};
use imageshare_local::table::EmbeddedTable;
use tokio::sync::Semaphore;

use crate::http_server::HttpServer;

/// The operation that every change of the service is made with.
const TRANSACTION: &str = "TransactWriteItems";

/// The region of the table, and of the functions' environment.
pub const REGION: &str = "eu-west-1";

/// A DynamoDB on loopback, gone when it is dropped.
pub struct TableServer {
    server: HttpServer,
    /// How many transactions may still be written.
    transactions: Arc<Semaphore>,
}

impl TableServer {
    /// A DynamoDB with the service's table, which is empty, on a free port.
    pub async fn start() -> Self {
        let database = EmbeddedTable::open(None).expect("a database in memory").database().clone();
        let transactions = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        let left = Arc::clone(&transactions);
        let server = HttpServer::start(move |request| {
            let (database, left) = (database.clone(), Arc::clone(&left));
            async move { answer(database, &left, request).await }
        });
        Self { server: server.await, transactions }
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

async fn answer(database: Database, left: &Semaphore, request: Request<Bytes>) -> Response<Bytes> {
    let target =
        request.headers().get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
    if operation == TRANSACTION {
        left.acquire().await.expect("the semaphore is never closed").forget();
    }
    // The database blocks its caller.
    let answer = tokio::task::spawn_blocking(move || dispatch(&database, &operation, request.body())).await;
    let (status, json) = match answer.expect("the database does not panic") {
        Ok(json) => (200, json),
        Err(error) => (error.status_code(), error.to_json().into_bytes()),
    };
    let response = Response::builder().status(status).header("content-type", "application/x-amz-json-1.0");
    response.body(json.into()).expect("the status is one of HTTP")
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
