//! An in-memory DynamoDB that functions reach over HTTP, as they reach the real one.
//!
//! The embedded database has an HTTP server of its own, as a feature. Enabled here, it would be enabled for the whole
//! workspace, and the binary under test would not be the released one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::SharedHttpClient;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Builder as ConfigBuilder, Config, Credentials, Region};
use aws_smithy_http_client::Builder as HttpBuilder;
use bytes::Bytes;
use dynoxide::{Database, DynoxideError};
use http::{Request, Response};
use imageshare_local::table::EmbeddedTable;
use serde_json::json;
use tokio::sync::{RwLock, Semaphore};
use tokio_rustls::rustls::ServerConfig;

use crate::http_server::HttpServer;
use crate::issuer::CertificateAuthority;
use crate::permissions::{AccessLog, Permissions};
pub use crate::table_faults::{Fault, FaultCounts};
use crate::table_faults::{FaultInjector, run_with_fault};

/// The operation of every change that the service makes.
pub(crate) const TRANSACT_WRITE_ITEMS: &str = "TransactWriteItems";

/// The region of the table, and of the functions' environment.
pub const REGION: &str = "eu-west-1";

/// A DynamoDB on loopback, stopped when it is dropped.
pub struct TableServer {
    server: HttpServer,
    scheme: &'static str,
    backend: Arc<Backend>,
    http: SharedHttpClient,
}

/// The state behind the HTTP server.
struct Backend {
    table: Mutex<Arc<EmbeddedTable>>,
    /// The permits of transactions that may still be executed.
    transaction_permits: Semaphore,
    faults: FaultInjector,
    /// Read-locked by each call while the database executes it.
    in_flight: Arc<RwLock<()>>,
    /// The only generation of clients that is admitted.
    client_generation: AtomicU64,
    access_log: AccessLog,
    calls: Mutex<CallCounts>,
}

/// The calls that a table has received, by what they do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallCounts {
    /// `GetItem`, `BatchGetItem` and `Query`.
    pub reads: u64,
    /// `PutItem`, `UpdateItem` and `DeleteItem`.
    pub writes: u64,
    /// `TransactWriteItems`.
    pub transactions: u64,
}

impl CallCounts {
    fn count(&mut self, operation: &str) {
        match operation {
            TRANSACT_WRITE_ITEMS => self.transactions += 1,
            "PutItem" | "UpdateItem" | "DeleteItem" => self.writes += 1,
            _ => self.reads += 1,
        }
    }
}

impl TableServer {
    /// Starts a DynamoDB with the service's empty table, on a free port.
    pub async fn start() -> Self {
        Self::serve("http", None).await
    }

    /// The same over TLS, as the real one, with a certificate of this authority for 127.0.0.1.
    pub async fn start_tls(authority: &CertificateAuthority) -> Self {
        Self::serve("https", Some(Arc::new(authority.server_config("127.0.0.1")))).await
    }

    async fn serve(scheme: &'static str, tls: Option<Arc<ServerConfig>>) -> Self {
        let state = Arc::new(Backend {
            table: Mutex::new(empty_table()),
            transaction_permits: Semaphore::new(Semaphore::MAX_PERMITS),
            faults: FaultInjector::default(),
            in_flight: Arc::default(),
            client_generation: AtomicU64::new(0),
            access_log: AccessLog::default(),
            calls: Mutex::default(),
        });
        let serving = Arc::clone(&state);
        let server = HttpServer::start_with(tls, move |request| {
            let state = Arc::clone(&serving);
            async move { state.handle(request).await }
        });
        let http = HttpBuilder::new().build_http();
        Self { server: server.await, scheme, backend: state, http }
    }

    /// Replaces the table by an empty one.
    pub fn reset(&self) {
        *self.backend.table.lock().expect("no panic") = empty_table();
    }

    /// The embedded table: direct access, without faults.
    pub fn embedded(&self) -> Arc<EmbeddedTable> {
        Arc::clone(&self.backend.table.lock().expect("no panic"))
    }

    /// Returns what was done to the table since the last call, by access key.
    pub fn take_accesses(&self) -> Permissions {
        self.backend.access_log.take()
    }

    /// Lets functions do what the module's policies do not allow.
    pub fn allow_everything(&self) {
        self.backend.access_log.allow_everything();
    }

    /// Adds a fault to the next `times` calls of an operation, such as `PutItem`.
    pub fn fail(&self, operation: &'static str, fault: Fault, times: usize) {
        self.backend.faults.schedule(operation, fault, times);
    }

    /// Adds random faults to this percentage of calls, sometimes to several in a row.
    pub fn fail_at_random(&self, seed: u64, per_cent: u8) {
        self.backend.faults.enable_random(seed, per_cent);
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.backend.faults.clear();
    }

    /// The number of scheduled faults that have not occurred yet.
    pub fn remaining_faults(&self) -> usize {
        self.backend.faults.remaining()
    }

    /// The faults so far.
    pub fn fault_counts(&self) -> FaultCounts {
        self.backend.faults.counts()
    }

    /// The calls so far.
    pub fn calls(&self) -> CallCounts {
        *self.backend.calls.lock().expect("no panic")
    }

    /// Rejects the present clients. Returns once nothing that they have sent is being executed, whether or not they
    /// have waited for it.
    pub async fn disconnect_clients(&self) {
        self.backend.client_generation.fetch_add(1, Ordering::SeqCst);
        drop(self.backend.in_flight.write().await);
    }

    /// Executes this many further transactions; later ones wait for [`Self::resume`].
    pub fn stall_after(&self, transactions: usize) {
        self.backend.transaction_permits.forget_permits(Semaphore::MAX_PERMITS);
        self.backend.transaction_permits.add_permits(transactions);
    }

    /// Resumes transactions.
    pub fn resume(&self) {
        self.backend
            .transaction_permits
            .add_permits(Semaphore::MAX_PERMITS - self.backend.transaction_permits.available_permits());
    }

    /// The value of a function's `AWS_ENDPOINT_URL_DYNAMODB`.
    pub fn endpoint(&self) -> String {
        format!("{}://{}", self.scheme, self.server.address)
    }

    /// A client of this DynamoDB without retries, as the functions' is. It has no TLS.
    pub fn client(&self) -> Client {
        self.client_with_timeout(Duration::from_secs(4))
    }

    /// The same with a timeout.
    pub fn client_with_timeout(&self, timeout: Duration) -> Client {
        let admission = self.backend.client_generation.load(Ordering::SeqCst);
        let config = client_config(&format!("{}/{admission}", self.endpoint()), REGION);
        let timeouts = TimeoutConfig::builder().operation_timeout(timeout).build();
        Client::from_conf(config.timeout_config(timeouts).http_client(self.http.clone()).build())
    }
}

/// A client of a DynamoDB at an address, with the credentials of an administrator.
pub(crate) fn client_of(endpoint: &str, region: &'static str) -> Client {
    Client::from_conf(client_config(endpoint, region).http_client(HttpBuilder::new().build_http()).build())
}

fn client_config(endpoint: &str, region: &'static str) -> ConfigBuilder {
    Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(region))
        .credentials_provider(Credentials::from_keys("test", "test", None))
        .endpoint_url(endpoint)
        .retry_config(RetryConfig::disabled())
}

fn empty_table() -> Arc<EmbeddedTable> {
    Arc::new(EmbeddedTable::open(None).expect("a database in memory"))
}

impl Backend {
    async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok());
        let operation = target.unwrap_or_default().rsplit('.').next().unwrap_or_default().to_owned();
        self.calls.lock().expect("no panic").count(&operation);
        if operation == TRANSACT_WRITE_ITEMS {
            self.transaction_permits.acquire().await.expect("the semaphore is never closed").forget();
        }
        let running = Arc::clone(&self.in_flight).read_owned().await;
        if !self.accepts_client(request.uri().path()) {
            return http_response(500, Vec::new());
        }
        if let Err(message) = self.access_log.admit(request.headers(), &operation, request.body()) {
            return access_denied(&message);
        }
        let fault = self.faults.next_fault(&operation);
        let database = self.table.lock().expect("no panic").database().clone();
        // The database blocks its caller.
        let response = tokio::task::spawn_blocking(move || {
            let _running = running;
            match fault {
                None => Some(execute(&database, &operation, request.body())),
                Some(fault) => run_with_fault(fault, &database, &operation, request.body()),
            }
        });
        let Some((status, json)) = response.await.expect("the database does not panic") else {
            return std::future::pending().await;
        };
        http_response(status, json)
    }

    /// Whether a client with this path is admitted. One without a generation always is.
    fn accepts_client(&self, path: &str) -> bool {
        let number = path.trim_matches('/').parse::<u64>();
        number.map_or(true, |number| number == self.client_generation.load(Ordering::SeqCst))
    }
}

/// DynamoDB's response to a request that no policy allows.
fn access_denied(message: &str) -> Response<Bytes> {
    let body = json!({"__type": "com.amazon.coral.service#AccessDeniedException", "Message": message});
    http_response(400, body.to_string().into_bytes())
}

fn http_response(status: u16, json: Vec<u8>) -> Response<Bytes> {
    let response = Response::builder().status(status).header("content-type", "application/x-amz-json-1.0");
    response.body(json.into()).expect("the status is one of HTTP")
}

/// Executes one DynamoDB operation. Returns the HTTP status and the response body.
pub(crate) fn execute(database: &Database, operation: &str, body: &[u8]) -> (u16, Vec<u8>) {
    match dispatch(database, operation, body) {
        Some(Ok(json)) => (200, json),
        Some(Err(error)) => (error.status_code(), error.to_json().into_bytes()),
        None => {
            let json = r#"{"__type": "com.amazonaws.dynamodb.v20120810#UnknownOperationException"}"#;
            (400, json.to_owned().into_bytes())
        }
    }
}

/// Executes one DynamoDB operation; `None` if the database does not have it.
fn dispatch(database: &Database, operation: &str, body: &[u8]) -> Option<Result<Vec<u8>, DynoxideError>> {
    macro_rules! route {
        ($($name:pat => $method:ident),* $(,)?) => {
            match operation {
                $($name => {
                    let request = serde_json::from_slice(body).map_err(|error| rejected(&error));
                    let response = request.and_then(|request| database.$method(request));
                    Some(response.map(|response| serde_json::to_vec(&response).expect("a response is JSON")))
                })*
                _ => None,
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
        TRANSACT_WRITE_ITEMS => transact_write_items,
        "CreateTable" => create_table,
        "DescribeTable" => describe_table,
        "UpdateTable" => update_table,
        "UpdateTimeToLive" => update_time_to_live,
        "DescribeTimeToLive" => describe_time_to_live,
        "DescribeStream" => describe_stream,
        "GetShardIterator" => get_shard_iterator,
        "GetRecords" => get_records,
    }
}

/// Checks that the database makes while decoding a request surface as decoding errors with a prefix.
fn rejected(error: &serde_json::Error) -> DynoxideError {
    let text = error.to_string();
    match text.strip_prefix("VALIDATION:") {
        Some(message) => DynoxideError::ValidationException(message.to_owned()),
        None => DynoxideError::SerializationException(text),
    }
}
