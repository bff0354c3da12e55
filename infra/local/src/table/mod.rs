//! The embedded DynamoDB: a database in this process, with the service's table in it.

mod calls;
mod convert;
mod expiry;
mod flows;
mod lanes;
mod space;

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dynoxide::{Database, DynoxideError};
use imageshare::store::{TTL, definition};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Notify;

pub use self::calls::TableLane;
pub use self::expiry::{RemovalError, Removed};
use self::lanes::Lanes;
pub use self::lanes::{Lane, Unanswered};
use self::space::Space;
use crate::TABLE;

/// A health check that takes longer has failed.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(1);

/// An embedded DynamoDB. It lives until it and every client of it are dropped, or until it is closed.
pub struct EmbeddedTable {
    lanes: Arc<Lanes<Opened>>,
    /// Shares the database with the lanes, for looking behind the service's back.
    opened: Opened,
    work: Arc<Notify>,
}

/// An open database, and the lock that keeps other processes out of its directory until the last copy is dropped.
#[derive(Clone)]
struct Opened {
    database: Database,
    /// The database's file, where it has one that can become smaller.
    space: Option<Arc<Space>>,
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
    /// The database has no room for the table.
    #[error("cannot make the table: {0}")]
    Table(DynoxideError),
    /// There is no thread to be had.
    #[error("cannot start the table's thread: {0}")]
    Thread(io::Error),
}

impl EmbeddedTable {
    /// Opens the database `table.sqlite` in that directory, which must exist; or, without one, a database in memory. A new
    /// one gets its table.
    ///
    /// # Errors
    /// The directory belongs to another process, or the file cannot be opened or written.
    pub fn open(directory: Option<&Path>) -> Result<Self, OpenError> {
        let lock = directory.map(lock).transpose()?.map(Arc::new);
        let path = directory.map(|directory| directory.join("table.sqlite"));
        let database = match &path {
            // The database takes paths as text; another path is as good as one that cannot be opened.
            Some(path) => Database::new(&path.to_string_lossy()),
            None => Database::memory(),
        };
        let database = database
            .map_err(|source| OpenError::Database { path: path.clone().unwrap_or_default(), source })?;
        create_tables(&database).map_err(OpenError::Table)?;
        let space = path.as_deref().and_then(open_space);
        let opened = Opened { database, space, _lock: lock };
        let lanes = Lanes::new("table", opened.clone()).map_err(OpenError::Thread)?;
        Ok(Self { lanes: Arc::new(lanes), opened, work: Arc::default() })
    }

    /// The table, through that lane.
    pub fn lane(&self, lane: Lane) -> TableLane {
        TableLane {
            line: self.lanes.line(lane),
            lanes: Arc::clone(&self.lanes),
            work: Arc::clone(&self.work),
        }
    }

    /// Is notified when a piece of a job has been written that is to be carried out.
    pub fn work(&self) -> Arc<Notify> {
        Arc::clone(&self.work)
    }

    /// The database itself, for looking behind the service's back.
    pub fn database(&self) -> &Database {
        &self.opened.database
    }

    /// Whether the database answers a cheap read within a second.
    pub async fn is_healthy(&self) -> bool {
        let line = self.lanes.line(Lane::Request);
        let read = self.lanes.run(&line, |opened| opened.database.table_count());
        matches!(tokio::time::timeout(HEALTH_TIMEOUT, read).await, Ok(Ok(Ok(_))))
    }

    /// Deletes the items whose time to live has passed, and makes the database's file smaller where much of it is free.
    ///
    /// It reads the whole table, or the rest of it where the last removal was stopped, and takes a tenth of the database's
    /// time at most, half of it while the database is idle. It steps aside for requests and for background work.
    ///
    /// # Errors
    /// [`RemovalError`] where the database does not answer. What was deleted stays deleted.
    pub async fn remove_expired(&self) -> Result<Removed, RemovalError> {
        let removed = expiry::pass(&self.lanes).await?;
        let freed_bytes = match &self.opened.space {
            Some(space) => space::release(&self.lanes, space, removed.items > 0).await?,
            None => 0,
        };
        Ok(Removed { freed_bytes, ..removed })
    }

    /// Takes no more calls and finishes those that wait. The database is closed, and its directory free for others,
    /// when this table is dropped.
    pub async fn close(&self) {
        self.lanes.close().await;
    }
}

/// The database's file, for making it smaller. Where that cannot be done, the file goes on growing, and the log says so.
fn open_space(path: &Path) -> Option<Arc<Space>> {
    let space = Space::open(path).inspect_err(|problem| {
        tracing::warn!(%problem, path = %path.display(), "the database's file will not become smaller");
    });
    space.ok().map(Arc::new)
}

/// Creates the service's table and the removal's, unless they exist.
fn create_tables(database: &Database) -> Result<(), DynoxideError> {
    match database.create_table(request(expiry::definition())?) {
        Ok(_) | Err(DynoxideError::ResourceInUseException(_)) => {}
        Err(error) => return Err(error),
    }
    match database.create_table(request(definition(TABLE))?) {
        Ok(_) => {
            let expiry = json!({
                "TableName": TABLE,
                "TimeToLiveSpecification": {"AttributeName": TTL, "Enabled": true},
            });
            database.update_time_to_live(request(expiry)?).map(drop)
        }
        Err(DynoxideError::ResourceInUseException(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

fn request<T: DeserializeOwned>(json: Value) -> Result<T, DynoxideError> {
    serde_json::from_value(json).map_err(|error| DynoxideError::SerializationException(error.to_string()))
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
    use imageshare::table::{
        AttributeValue, CONDITION_FAILED, Failure, Item, Key, Query, Table, Token, Write,
    };

    use super::*;

    fn text(value: &str) -> AttributeValue {
        AttributeValue::S(value.to_owned())
    }

    fn key(id: &str) -> Key {
        Key::from([("pk".to_owned(), text(id)), ("sk".to_owned(), text("A"))])
    }

    fn item(id: &str, name: &str, value: AttributeValue) -> Item {
        let mut item = key(id);
        item.insert(name.to_owned(), value);
        item
    }

    #[tokio::test]
    async fn what_was_written_is_there_after_reopening() {
        let directory = tempfile::tempdir().unwrap();
        let table = EmbeddedTable::open(Some(directory.path())).unwrap();
        let requests = table.lane(Lane::Request);
        requests.write_item(&Write::put(key("a"))).await.unwrap();
        table.close().await;
        assert!(matches!(requests.get_item(&key("a")).await, Err(Failure::Closed(_))), "closed");
        drop((table, requests));

        let table = EmbeddedTable::open(Some(directory.path())).unwrap();
        let found = table.lane(Lane::Worker).get_item(&key("a")).await.unwrap();
        assert_eq!(found.items, [key("a")]);
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
    async fn a_condition_that_fails_tells_the_old_item() {
        let table = EmbeddedTable::open(None).unwrap();
        let requests = table.lane(Lane::Request);
        let put = Write::put(item("a", "n", text("1"))).only_if("attribute_not_exists(pk)");
        requests.write_item(&put).await.unwrap();
        let Err(Failure::Canceled(reasons)) = requests.write_item(&put).await else {
            panic!("written twice")
        };
        assert_eq!(reasons[0].code.as_deref(), Some(CONDITION_FAILED));
        assert_eq!(reasons[0].found, Some(item("a", "n", text("1"))));
    }

    #[tokio::test]
    async fn only_work_that_was_written_is_told_of() {
        let table = EmbeddedTable::open(None).unwrap();
        let requests = table.lane(Lane::Request);
        let (piece, other) = (item("a", "gpk", text("W#0")), item("a", "gpk", text("O#owner")));
        let work = table.work();
        let mut told = std::pin::pin!(work.notified());
        requests.write_item(&Write::put(other.clone())).await.unwrap();
        requests.transact_write_items(&[Write::put(other)], Token::fresh()).await.unwrap();
        let refused = Write::put(piece.clone()).only_if("attribute_not_exists(pk)");
        requests.write_item(&refused).await.unwrap_err();
        assert!(!told.as_mut().enable());
        requests.write_item(&Write::put(piece.clone())).await.unwrap();
        told.await;
        let told = work.notified();
        requests.transact_write_items(&[Write::put(piece)], Token::fresh()).await.unwrap();
        told.await;
    }

    /// Lists of a hundred items on behalf of one tenant wait, then a read on behalf of another; `in_order` names each call
    /// when its answer comes.
    async fn order_of_answers(lists: usize) -> Vec<&'static str> {
        let table = EmbeddedTable::open(None).unwrap();
        let requests = table.lane(Lane::Request);
        for number in 0..100 {
            let mut item = item("listed", "text", text(&"x".repeat(100)));
            item.insert("sk".to_owned(), text(&format!("{number:03}")));
            requests.write_item(&Write::put(item)).await.unwrap();
        }
        let of = |tenant: &str| requests.on_behalf_of(&tenant.parse().unwrap()).unwrap();
        let waiting = async |count: usize| {
            while table.lanes.waiting_requests() < count {
                tokio::task::yield_now().await;
            }
        };
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let lanes = Arc::clone(&table.lanes);
        let held = tokio::spawn(async move {
            let hold = move |_: &Opened| {
                begun.send(()).unwrap();
                gate.recv().unwrap();
            };
            lanes.run(&lanes.line(Lane::Request), hold).await.unwrap();
        });
        has_begun.await.unwrap();

        let (answers, mut in_order) = tokio::sync::mpsc::unbounded_channel();
        for _ in 0..lists {
            let (table, answers) = (of("busy"), answers.clone());
            tokio::spawn(async move {
                let query = Query::new("pk = :pk").value(":pk", text("listed"));
                assert_eq!(table.query(&query).await.unwrap().count, 100);
                answers.send("list").unwrap();
            });
        }
        waiting(lists.min(256)).await;
        let other = of("other");
        tokio::spawn(async move {
            other.get_item(&key("a")).await.unwrap();
            answers.send("read").unwrap();
        });
        waiting(lists.min(256) + 1).await;
        open.send(()).unwrap();
        held.await.unwrap();
        let mut order = Vec::new();
        while let Some(answer) = in_order.recv().await {
            order.push(answer);
        }
        order
    }

    #[tokio::test]
    async fn read_of_one_tenant_passes_the_lists_of_another() {
        let order = order_of_answers(64).await;
        assert_eq!(order.len(), 65);
        let before = order.iter().position(|answer| *answer == "read").unwrap();
        // A turn of the other tenant has four calls at most; answers of calls that end together may be seen in any order.
        assert!(before <= 8, "{before}");
    }

    #[tokio::test]
    async fn tenant_with_more_calls_than_may_wait_keeps_out_no_other() {
        let order = order_of_answers(1_000).await;
        assert_eq!(order.len(), 1_001);
        let before = order.iter().position(|answer| *answer == "read").unwrap();
        assert!(before <= 8, "{before}");
    }

    #[tokio::test]
    async fn lines_of_tenants_are_forgotten_with_their_requests() {
        let lanes = Lanes::new("test", ()).unwrap();
        for number in 0..10_000 {
            let line = lanes.line_of(&format!("tenant-{number}").parse().unwrap());
            lanes.run(&line, |()| ()).await.unwrap();
        }
        assert!(lanes.tenant_lines() <= 64);
    }
}
