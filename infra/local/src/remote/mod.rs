//! A table in DynamoDB, or at an endpoint that speaks its API, in place of the embedded one. Any number of servers can
//! share it, and functions on AWS beside them.
//!
//! Everything that has to hold between servers is in the table, as it is between functions: conditions of writes,
//! stamps, idempotency keys, nonces, queues. What a server keeps in memory is its own, and `infra/local/OPERATING.md`
//! says what that means. This room has what differs from the embedded table: the connection ([`connection`]), the
//! check of the table at the start ([`shape`]), the command that creates it ([`create`]), the work that a server has
//! opened itself, in place of a stream ([`open_work`]), and the reader of the stream for what follows from changes
//! ([`stream`]).

mod connection;
pub mod create;
mod error;
pub mod open_work;
mod shape;
mod stream;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{IndexStatus, StreamViewType, TableDescription, TableStatus};
use imageshare::App;
use imageshare::auth::MasterKeys;
use imageshare::events::Bus;
use imageshare::store::{Store, StoreError};
use imageshare::table::{DynamoDb, Table};
use tokio::time::Instant;

pub(crate) use self::connection::Connection;
pub use self::error::RemoteError;
use self::open_work::{OpenWork, RecordingTable, RemoteWorker};
use self::shape::TableShape;
use self::stream::StreamReader;
use crate::cli::{TableEndpoint, TableName};
use crate::dispatcher;

/// A health check that takes longer has failed.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the result of a health check is used: load balancers ask often, and each answer would cost a read.
const HEALTH_TTL: Duration = Duration::from_secs(5);

/// A table in DynamoDB that one server uses.
pub struct RemoteTable {
    connection: Connection,
    client: Client,
    open_work: OpenWork,
    /// The stream whose effects the server carries out, if it does.
    stream_arn: Option<String>,
    last_health: Mutex<Option<(Instant, Result<(), RemoteHealthError>)>>,
}

/// Why a table in DynamoDB cannot be used at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoteHealthError {
    /// It does not respond within a second, or throttles.
    Unresponsive,
    /// It refuses the server's calls.
    Refused,
}

impl RemoteTable {
    /// Connects to a table, and checks that it is one of this service. One call, besides what the credentials take.
    /// `service_region` is the region that the server was given for its clients, if it was; `reads_stream`, whether it
    /// carries out effects.
    ///
    /// # Errors
    /// [`RemoteError`], with what an operator can do.
    pub async fn open(
        table: &TableName,
        endpoint: &TableEndpoint,
        service_region: Option<&str>,
        reads_stream: bool,
    ) -> Result<Self, RemoteError> {
        let connection = Connection::open(table, endpoint, service_region).await?;
        let described = describe(&connection, &connection.admin_client()).await?;
        let described = described.ok_or_else(|| no_table(&connection))?;
        reject_difference(&connection, &described)?;
        if let Some(states) = unready_states(&described) {
            let (table, place) = (table.clone(), connection.place().to_owned());
            return Err(RemoteError::NotActive { table, place, states });
        }
        let stream_arn = if reads_stream { Some(stream_arn(&connection, &described)?) } else { None };
        let (client, open_work) = (connection.table_client(), OpenWork::default());
        Ok(Self { connection, client, open_work, stream_arn, last_health: Mutex::default() })
    }

    /// The table's region.
    pub fn region(&self) -> &str {
        &self.connection.region
    }

    /// The table's region, or the address that was given for it.
    pub fn place(&self) -> &str {
        self.connection.place()
    }

    /// The table, as a store uses it. It records the work that is opened through it.
    pub fn table(&self) -> impl Table + use<> {
        let table = DynamoDb::new(self.client.clone(), self.connection.table.as_str());
        RecordingTable::new(table, self.open_work.clone())
    }

    /// Executes the work that this server opens or finds, and takes its turns to sweep, until `stop` is ready. Takes
    /// up all open work first.
    pub async fn dispatch(&self, app: App, region: String, stop: impl Future<Output = ()>) {
        let worker = Arc::new(RemoteWorker::new(app, self.open_work.clone()));
        if let Err(problem) = worker.take_up_open_work().await {
            tracing::warn!(%problem, "open work could not be read at the start; the sweep finds it");
        }
        dispatcher::run(worker, &self.open_work.notify(), region, stop).await;
    }

    /// Carries out what follows from changes, in turn with other servers, until `stop` is ready; nothing if the server was
    /// not started to.
    pub async fn carry_out_effects(&self, app: App, bus: Arc<dyn Bus>, stop: impl Future<Output = ()>) {
        let Some(stream_arn) = self.stream_arn.clone() else {
            tracing::info!(
                "this server reads no stream: without --effects on a server, or the function effects on AWS, there are no \
                 events and no messages, no job is listed, and share rules do not act"
            );
            return;
        };
        StreamReader::new(self.connection.stream_client(), stream_arn, app, bus).run(stop).await;
    }

    /// Checks whether the table responds. One read, at most every 5 seconds.
    ///
    /// # Errors
    /// [`RemoteHealthError`], after a second at the latest.
    pub async fn health(&self, store: &Store) -> Result<(), RemoteHealthError> {
        let last = *self.last_health.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, result)) = last
            && at.elapsed() < HEALTH_TTL
        {
            return result;
        }
        let result = match store.with_timeout(HEALTH_TIMEOUT).probe().await {
            Ok(()) => Ok(()),
            Err(problem) => {
                tracing::error!(%problem, "the table cannot be used");
                let is_refused = matches!(problem, StoreError::Refused(_));
                Err(if is_refused { RemoteHealthError::Refused } else { RemoteHealthError::Unresponsive })
            }
        };
        *self.last_health.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), result));
        result
    }
}

/// Checks that the other servers of a table have the same master keys, as far as they have keys of the same id. One
/// write for each key.
///
/// # Errors
/// [`RemoteError::OtherMasterKey`] if they have not, or the table fails.
pub async fn check_master_keys(store: &Store, keys: &MasterKeys) -> Result<(), RemoteError> {
    for (id, fingerprint) in keys.fingerprints() {
        if !store.record_master_key(id, &fingerprint).await? {
            return Err(RemoteError::OtherMasterKey { id: id.to_owned() });
        }
    }
    Ok(())
}

/// Describes a table; `None` if it does not exist.
async fn describe(connection: &Connection, client: &Client) -> Result<Option<TableDescription>, RemoteError> {
    let call = client.describe_table().table_name(connection.table.as_str());
    match call.send().await {
        Ok(output) => Ok(output.table),
        Err(error) => match connection.call_error("DescribeTable", &error) {
            RemoteError::NoTable { .. } => Ok(None),
            other => Err(other),
        },
    }
}

/// The stream of a table, which has to have the items before and after each change.
fn stream_arn(connection: &Connection, described: &TableDescription) -> Result<String, RemoteError> {
    let specification = described.stream_specification();
    let is_whole = specification.is_some_and(|stream| {
        stream.stream_enabled() && stream.stream_view_type() == Some(&StreamViewType::NewAndOldImages)
    });
    let arn = described.latest_stream_arn().filter(|_| is_whole);
    arn.map(str::to_owned).ok_or_else(|| RemoteError::NoStream {
        table: connection.table.clone(),
        place: connection.place().to_owned(),
    })
}

fn no_table(connection: &Connection) -> RemoteError {
    RemoteError::NoTable { table: connection.table.clone(), place: connection.place().to_owned() }
}

/// Rejects a table whose keys or indexes are not those that the store defines.
fn reject_difference(connection: &Connection, described: &TableDescription) -> Result<(), RemoteError> {
    let differences = match TableShape::wanted() {
        Ok(wanted) => wanted.differences(&TableShape::of(described)),
        Err(problem) => vec![format!("the definition cannot be read: {problem}")],
    };
    if differences.is_empty() {
        return Ok(());
    }
    let (table, place) = (connection.table.clone(), connection.place().to_owned());
    Err(RemoteError::Different { table, place, differences })
}

/// The states of a table and its indexes that are not ready; `None` if all are. A table that is being updated can be
/// used.
fn unready_states(described: &TableDescription) -> Option<String> {
    let table = described
        .table_status()
        .filter(|status| !matches!(status, TableStatus::Active | TableStatus::Updating));
    let table = table.map(|status| format!("the table is {status}"));
    let indexes = described.global_secondary_indexes().iter().filter_map(|index| {
        let status = index.index_status()?;
        let is_ready = matches!(status, IndexStatus::Active | IndexStatus::Updating);
        (!is_ready).then(|| format!("the index {} is {status}", index.index_name().unwrap_or_default()))
    });
    let states: Vec<_> = table.into_iter().chain(indexes).collect();
    (!states.is_empty()).then(|| states.join(", "))
}
