//! The embedded DynamoDB: a database in this process that an ordinary SDK client talks to.

mod connector;
mod lanes;

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Config, Region, StalledStreamProtectionConfig};
use dynoxide::{Database, DynoxideError};

use self::connector::InProcess;
use self::lanes::Lanes;
pub use self::lanes::{Gone, Lane};

/// A health check that takes longer has failed.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(1);

/// An embedded DynamoDB. It lives until it and every client of it are dropped, or until it is closed.
pub struct EmbeddedTable {
    lanes: Arc<Lanes<Opened>>,
    /// Shares the database with the lanes, for the sweep alone.
    opened: Opened,
}

/// An open database, and the lock that keeps other processes out of its directory until the last copy is dropped.
#[derive(Clone)]
struct Opened {
    database: Database,
    _lock: Option<Arc<File>>,
}

/// Why the embedded table cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the directory open.
    #[error("{} is in use by another imageshare; stop that one, or choose another directory with --data", .0.display())]
    InUse(PathBuf),
    /// A file cannot be made or opened.
    #[error("cannot open {}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The database cannot be read.
    #[error("cannot open the database {}: {source}", .path.display())]
    Database {
        /// The database file.
        path: PathBuf,
        /// What the database says.
        source: DynoxideError,
    },
    /// There is no thread to be had.
    #[error("cannot start the table's thread: {0}")]
    Thread(io::Error),
}

impl EmbeddedTable {
    /// Opens the database `table.sqlite` in that directory, which must exist; or, without one, a database in memory.
    ///
    /// # Errors
    /// The directory belongs to another process, or the file cannot be opened.
    pub fn open(directory: Option<&Path>) -> Result<Self, OpenError> {
        let lock = directory.map(lock).transpose()?.map(Arc::new);
        let path = directory.map(|directory| directory.join("table.sqlite"));
        let database = match &path {
            // The database takes paths as text; another path is as good as one that cannot be opened.
            Some(path) => Database::new(&path.to_string_lossy()),
            None => Database::memory(),
        };
        let database =
            database.map_err(|source| OpenError::Database { path: path.unwrap_or_default(), source })?;
        let opened = Opened { database, _lock: lock };
        let lanes = Lanes::new("table", opened.clone()).map_err(OpenError::Thread)?;
        Ok(Self { lanes: Arc::new(lanes), opened })
    }

    /// An SDK client whose calls go through that lane.
    pub fn client(&self, lane: Lane) -> Client {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("local"))
            // Nobody would check a signature, and making one costs a good part of a call.
            .allow_no_auth()
            .timeout_config(TimeoutConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .http_client(InProcess { lanes: Arc::clone(&self.lanes), lane })
            .build();
        Client::from_conf(config)
    }

    /// Whether the database answers a cheap read within a second.
    pub async fn is_healthy(&self) -> bool {
        let read = self.lanes.run(Lane::Request, |opened| opened.database.table_count());
        matches!(tokio::time::timeout(HEALTH_TIMEOUT, read).await, Ok(Ok(Ok(_))))
    }

    /// Deletes the items whose time to live has passed; returns how many there were.
    ///
    /// The sweep reads the whole table, so it runs beside the lanes, on a thread of its own: it steps aside after
    /// every page of 25 items for a call that waits.
    ///
    /// # Errors
    /// [`Gone`] if the database does not answer any more.
    pub async fn sweep_expired(&self) -> Result<usize, Gone> {
        let database = self.opened.database.clone();
        match tokio::task::spawn_blocking(move || database.sweep_ttl()).await {
            Ok(Ok(deleted)) => Ok(deleted),
            Ok(Err(problem)) => {
                tracing::error!(%problem, "expired items could not be deleted");
                Err(Gone)
            }
            Err(_) => Err(Gone),
        }
    }

    /// Takes no more calls and finishes those that wait. The database is closed, and its directory free for others,
    /// when this table is dropped.
    pub async fn close(&self) {
        self.lanes.close().await;
    }
}

fn lock(directory: &Path) -> Result<File, OpenError> {
    let path = directory.join("table.lock");
    let file = match File::options().create(true).truncate(false).write(true).open(&path) {
        Ok(file) => file,
        Err(source) => return Err(OpenError::File { path, source }),
    };
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(directory.to_owned())),
        Err(TryLockError::Error(source)) => Err(OpenError::File { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::{
        AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
        TimeToLiveSpecification,
    };

    use super::*;

    async fn create(client: &Client) {
        let id = AttributeDefinition::builder().attribute_name("id").attribute_type(ScalarAttributeType::S);
        let key = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash);
        let table = client.create_table().table_name("things").billing_mode(BillingMode::PayPerRequest);
        table
            .attribute_definitions(id.build().unwrap())
            .key_schema(key.build().unwrap())
            .send()
            .await
            .unwrap();
    }

    fn text(value: &str) -> AttributeValue {
        AttributeValue::S(value.to_owned())
    }

    #[tokio::test]
    async fn what_was_written_is_there_after_reopening() {
        let directory = tempfile::tempdir().unwrap();
        let table = EmbeddedTable::open(Some(directory.path())).unwrap();
        let client = table.client(Lane::Request);
        create(&client).await;
        client.put_item().table_name("things").item("id", text("a")).send().await.unwrap();
        table.close().await;
        assert!(client.get_item().table_name("things").key("id", text("a")).send().await.is_err(), "closed");
        drop(table);

        let table = EmbeddedTable::open(Some(directory.path())).unwrap();
        let client = table.client(Lane::Worker);
        let found = client.get_item().table_name("things").key("id", text("a")).send().await.unwrap();
        assert!(found.item.is_some());
    }

    #[tokio::test]
    async fn one_process_has_a_directory_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let table = EmbeddedTable::open(Some(directory.path())).unwrap();
        let refused = EmbeddedTable::open(Some(directory.path())).err().unwrap();
        assert!(matches!(refused, OpenError::InUse(_)), "{refused}");
        table.close().await;
        drop(table);
        assert!(EmbeddedTable::open(Some(directory.path())).is_ok());
    }

    #[tokio::test]
    async fn a_condition_that_fails_is_a_typed_error_with_the_old_item() {
        let table = EmbeddedTable::open(None).unwrap();
        let client = table.client(Lane::Request);
        create(&client).await;
        let put = || client.put_item().table_name("things").item("id", text("a")).item("n", text("1"));
        put().send().await.unwrap();
        let again = put().condition_expression("attribute_not_exists(id)");
        let again = again.return_values_on_condition_check_failure(
            aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld,
        );
        let error = again.send().await.unwrap_err().into_service_error();
        let aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(failed) =
            error
        else {
            panic!("{error:?}");
        };
        assert_eq!(failed.item.and_then(|item| item.get("n").cloned()), Some(text("1")));
    }

    #[tokio::test]
    async fn the_sweep_deletes_what_has_expired() {
        let table = EmbeddedTable::open(None).unwrap();
        let client = table.client(Lane::Request);
        create(&client).await;
        let ttl = TimeToLiveSpecification::builder().enabled(true).attribute_name("ttl").build().unwrap();
        client
            .update_time_to_live()
            .table_name("things")
            .time_to_live_specification(ttl)
            .send()
            .await
            .unwrap();
        for (id, expires) in [("old", "1000000000"), ("new", "99999999999")] {
            let put = client.put_item().table_name("things").item("id", text(id));
            put.item("ttl", AttributeValue::N(expires.to_owned())).send().await.unwrap();
        }
        assert_eq!(table.sweep_expired().await, Ok(1));
        assert!(table.is_healthy().await);
    }
}
