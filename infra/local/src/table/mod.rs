//! The embedded DynamoDB: a database in this process, with the service's table in it.

mod calls;
mod convert;
mod expiry;
mod flows;
pub(crate) mod integrity;
mod lanes;
pub(crate) mod layout;
mod space;
mod storage;

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dynoxide::{Database, DynoxideError};
use imageshare::store::{TTL, definition};
use imageshare::table::StorageFault;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Notify;

pub use self::calls::TableLane;
pub use self::expiry::{RemovalError, Removed};
use self::lanes::Lanes;
pub use self::lanes::{Lane, Unanswered};
use self::layout::LAYOUT;
use self::space::Space;
use self::storage::{Storage, fault_of, fault_of_code, identity, looked_into};
use crate::{TABLE, private_file};

/// The database's file in a data directory.
pub(crate) const DATABASE: &str = "table.sqlite";

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
    storage: Arc<Storage>,
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
    /// The disk is full, or it or the database cannot be used.
    #[error("{}", advice(*.fault, .directory, .detail))]
    Storage {
        /// What is wrong.
        fault: StorageFault,
        /// The data directory.
        directory: PathBuf,
        /// What the database says.
        detail: String,
    },
    /// The database is of a later version of this program.
    #[error(
        "{} was written by {writer}, and this is {}, which does not know its layout ({layout}; the latest known is {LAYOUT}). Start that version, \
         or restore a backup of this version into another directory",
        .directory.display(), env!("CARGO_PKG_VERSION")
    )]
    Newer {
        /// The data directory.
        directory: PathBuf,
        /// The version that wrote it.
        writer: String,
        /// Its layout.
        layout: u32,
    },
    /// The database refuses for another reason.
    #[error("cannot open the database in {}: {source}", .directory.display())]
    Database {
        /// The data directory.
        directory: PathBuf,
        /// What the database says.
        source: DynoxideError,
    },
    /// There is no thread to be had.
    #[error("cannot start the table's thread: {0}")]
    Thread(io::Error),
}

/// What an operator is told of storage with which a server cannot start.
fn advice(fault: StorageFault, directory: &Path, detail: &str) -> String {
    let place = directory.display();
    match fault {
        StorageFault::Full => format!("the disk of {place} is full: make room there, then start again"),
        StorageFault::Damaged => format!(
            "the database in {place} is damaged ({detail}): move the directory away and restore a backup with `imageshare restore --from FILE --data {place}`; `imageshare check --data DIR` says what is wrong with the old one"
        ),
        StorageFault::Missing => {
            format!("the database in {place} was removed while it was opened; start again")
        }
        StorageFault::Failing => format!(
            "the database in {place} cannot be read or written ({detail}): look at the disk, and who may write the directory and its files"
        ),
    }
}

impl OpenError {
    fn database(directory: &Path) -> impl Fn(DynoxideError) -> Self + '_ {
        move |source| match fault_of(&source) {
            Some(fault) => {
                let fault = looked_into(fault, directory);
                Self::Storage { fault, directory: directory.to_owned(), detail: source.to_string() }
            }
            None => Self::Database { directory: directory.to_owned(), source },
        }
    }

    fn file(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
        move |source| Self::File { path: path.to_owned(), source }
    }
}

/// What keeps an open table from answering or from storing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TableProblem {
    /// It does not answer a cheap read within a second.
    #[error("the table does not answer")]
    Silent,
    /// Its storage does not do what it must.
    #[error("{0}")]
    Storage(StorageFault),
}

impl EmbeddedTable {
    /// Opens the database `table.sqlite` in that directory, which must exist; or, without one, a database in memory. A new
    /// one gets its table, and one of an earlier version is migrated.
    ///
    /// # Errors
    /// The directory belongs to another process or is of a later version, or the file cannot be opened or written.
    pub fn open(directory: Option<&Path>) -> Result<Self, OpenError> {
        let opened = match directory {
            Some(directory) => open_files(directory)?,
            None => open_memory()?,
        };
        let lanes = Lanes::new("table", opened.clone()).map_err(OpenError::Thread)?;
        Ok(Self { lanes: Arc::new(lanes), opened, work: Arc::default() })
    }

    /// The table, through that lane.
    pub fn lane(&self, lane: Lane) -> TableLane {
        TableLane {
            line: self.lanes.line(lane),
            lanes: Arc::clone(&self.lanes),
            storage: Arc::clone(&self.opened.storage),
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

    /// Finds out whether the database answers and stores: one cheap read, and two writes where one has failed since
    /// the last that found the disk in order.
    ///
    /// # Errors
    /// [`TableProblem`] says what is wrong.
    pub async fn health(&self) -> Result<(), TableProblem> {
        match self.opened.storage.fault() {
            Some(fault @ (StorageFault::Missing | StorageFault::Damaged)) => {
                return Err(TableProblem::Storage(fault));
            }
            Some(StorageFault::Full | StorageFault::Failing) => {
                self.check_health(expiry::write_probe).await?;
                self.opened.storage.note_recovery();
            }
            None => {}
        }
        self.check_health(|database| database.table_count().map(drop)).await
    }

    async fn check_health(
        &self,
        call: fn(&Database) -> Result<(), DynoxideError>,
    ) -> Result<(), TableProblem> {
        let line = self.lanes.line(Lane::Request);
        let check = self.lanes.run(&line, move |opened| call(&opened.database));
        match tokio::time::timeout(HEALTH_TIMEOUT, check).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(problem))) => {
                let fault = fault_of(&problem).ok_or(TableProblem::Silent)?;
                Err(TableProblem::Storage(self.opened.storage.note(fault)))
            }
            Ok(Err(_)) | Err(_) => Err(TableProblem::Silent),
        }
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

fn open_memory() -> Result<Opened, OpenError> {
    let failed = OpenError::database(Path::new("memory"));
    let database = Database::memory().map_err(&failed)?;
    create_tables(&database).map_err(&failed)?;
    Ok(Opened { database, space: None, storage: Arc::default(), _lock: None })
}

fn open_files(directory: &Path) -> Result<Opened, OpenError> {
    let lock = lock(directory)?;
    let path = directory.join(DATABASE);
    let failed = OpenError::database(directory);
    refuse_newer(directory, &path)?;
    private_file::create(&path).map_err(OpenError::file(&path))?;
    // The database takes paths as text; another path is as good as one that cannot be opened.
    let database = Database::new(&path.to_string_lossy()).map_err(&failed)?;
    create_tables(&database).map_err(&failed)?;
    layout::migrate(&path).map_err(|problem| failed(problem.into()))?;
    let space = open_space(&path);
    let storage = Arc::new(Storage::of(&path).map_err(OpenError::file(&path))?);
    Ok(Opened { database, space, storage, _lock: Some(Arc::new(lock)) })
}

/// Refuses a database that a later version of this program has written, before anything of it is changed.
fn refuse_newer(directory: &Path, path: &Path) -> Result<(), OpenError> {
    let directory = directory.to_owned();
    match layout::read(path) {
        Ok(Some(mark)) if mark.layout > LAYOUT => {
            Err(OpenError::Newer { directory, writer: mark.writer(), layout: mark.layout })
        }
        Ok(_) => Ok(()),
        Err(problem) => Err(match problem.sqlite_error_code().and_then(fault_of_code) {
            Some(fault) => {
                let fault = looked_into(fault, &directory);
                OpenError::Storage { fault, directory, detail: problem.to_string() }
            }
            None => OpenError::Database { directory, source: problem.into() },
        }),
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

/// Keeps other processes out of a data directory as long as the file lives. It is the directory that is locked: a file in it
/// could be removed, and another one locked.
///
/// # Errors
/// Another process has it, or it cannot be opened.
pub(crate) fn lock(directory: &Path) -> Result<File, OpenError> {
    let failed = OpenError::file(directory);
    let file = File::open(directory).map_err(&failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(directory.to_owned())),
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    // Between the two it may have been moved away.
    let held = file.metadata().map_err(&failed)?;
    if identity(directory).map_err(&failed)? == (held.dev(), held.ino()) {
        Ok(file)
    } else {
        Err(OpenError::InUse(directory.to_owned()))
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
        for file in std::fs::read_dir(directory.path()).unwrap() {
            std::fs::remove_file(file.unwrap().path()).unwrap();
        }
        let refused = EmbeddedTable::open(Some(directory.path())).err().unwrap();
        assert!(matches!(refused, OpenError::InUse(_)), "without its files: {refused}");
        table.close().await;
        drop(table);
        assert!(EmbeddedTable::open(Some(directory.path())).is_ok());
    }

    #[tokio::test]
    async fn table_whose_files_are_gone_acknowledges_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let (directory, elsewhere) = (parent.path().join("data"), parent.path().join("elsewhere"));
        std::fs::create_dir(&directory).unwrap();
        let table = EmbeddedTable::open(Some(&directory)).unwrap();
        let requests = table.lane(Lane::Request);
        let write = Write::put(key("a"));
        requests.write_item(&write).await.unwrap();
        assert_eq!(table.health().await, Ok(()));
        std::fs::rename(&directory, &elsewhere).unwrap();
        std::fs::create_dir(&directory).unwrap();
        let missing = TableProblem::Storage(StorageFault::Missing);
        for written in [
            requests.write_item(&write).await,
            requests.transact_write_items(std::slice::from_ref(&write), Token::fresh()).await,
        ] {
            assert!(matches!(written, Err(Failure::Storage(StorageFault::Missing, _))), "{written:?}");
        }
        assert_eq!(table.health().await, Err(missing));
        std::fs::remove_dir(&directory).unwrap();
        std::fs::rename(&elsewhere, &directory).unwrap();
        requests.write_item(&write).await.unwrap();
        assert_eq!(table.health().await, Ok(()));
    }

    #[tokio::test]
    async fn full_disk_is_over_when_a_large_write_succeeds() {
        let directory = tempfile::tempdir().unwrap();
        let table = EmbeddedTable::open(Some(directory.path())).unwrap();
        table.opened.storage.note(StorageFault::Full);
        table.lane(Lane::Request).write_item(&Write::put(key("a"))).await.unwrap();
        assert_eq!(table.opened.storage.fault(), Some(StorageFault::Full), "a small write says little");
        assert_eq!((table.health().await, table.opened.storage.fault()), (Ok(()), None));
    }

    #[tokio::test]
    async fn files_are_their_owners_alone_whoever_made_the_directory() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let open_to_all = |mode| std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(directory.path(), open_to_all(0o755)).unwrap();
        for _ in 0..2 {
            let table = EmbeddedTable::open(Some(directory.path())).unwrap();
            table.lane(Lane::Request).write_item(&Write::put(key("a"))).await.unwrap();
            for file in std::fs::read_dir(directory.path()).unwrap().map(Result::unwrap) {
                assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{file:?}");
                // As an earlier version left it.
                std::fs::set_permissions(file.path(), open_to_all(0o644)).unwrap();
            }
        }
    }

    #[tokio::test]
    async fn damage_is_told_checked_and_kept_in_mind() {
        use std::os::unix::fs::FileExt;
        let directory = tempfile::tempdir().unwrap();
        let table = EmbeddedTable::open(Some(directory.path())).unwrap();
        let put = async |number: usize| {
            let item = item(&format!("{number:05}"), "text", text(&"x".repeat(2_000)));
            table.lane(Lane::Request).write_item(&Write::put(item)).await
        };
        for number in 0..2_000 {
            put(number).await.unwrap();
        }
        table.close().await;
        drop(table);
        let path = directory.path().join(DATABASE);
        let file = File::options().write(true).open(&path).unwrap();
        let pages = file.metadata().unwrap().len() / 4096;
        for page in pages * 6 / 10..pages * 9 / 10 {
            file.write_all_at(&[0xAA; 4096], page * 4096).unwrap();
        }
        let table = EmbeddedTable::open(Some(directory.path())).unwrap();
        let mut read = Ok(());
        for number in (0..2_000).step_by(10) {
            let found = table.lane(Lane::Request).get_item(&key(&format!("{number:05}"))).await;
            read = read.and(found.map(drop));
        }
        assert!(matches!(read, Err(Failure::Storage(StorageFault::Damaged, _))), "{read:?}");
        assert_eq!(table.health().await, Err(TableProblem::Storage(StorageFault::Damaged)));
        assert!(!integrity::check(&path).unwrap().is_empty());
    }

    #[test]
    fn file_that_is_no_database_is_refused_with_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(DATABASE), "not a database".repeat(1000)).unwrap();
        let refused = EmbeddedTable::open(Some(directory.path())).err().unwrap().to_string();
        assert!(refused.contains("is damaged") && refused.contains("imageshare restore --from"), "{refused}");
    }

    #[test]
    fn directory_without_a_mark_is_marked_and_a_later_one_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(DATABASE);
        drop(EmbeddedTable::open(Some(directory.path())).unwrap());
        let mark = |layout: u32| {
            let connection = rusqlite::Connection::open(&path).unwrap();
            connection.execute_batch("DROP TABLE imageshare_directory").unwrap();
            connection.pragma_update(None, "user_version", layout).unwrap();
        };
        mark(0);
        drop(EmbeddedTable::open(Some(directory.path())).unwrap());
        let program = Some(env!("CARGO_PKG_VERSION").to_owned());
        assert_eq!(layout::read(&path).unwrap(), Some(layout::Mark { layout: LAYOUT, program }));
        mark(LAYOUT + 1);
        let refused = EmbeddedTable::open(Some(directory.path())).err().unwrap();
        assert!(matches!(refused, OpenError::Newer { .. }), "{refused}");
        assert!(refused.to_string().contains("Start that version"), "{refused}");
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
