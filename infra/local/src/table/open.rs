//! Opens a data directory: locks it, checks its version, and creates what is missing.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dynoxide::{Database, DynoxideError};
use imageshare::store::{TTL, table_definition};
use imageshare::table::StorageFault;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

use super::change_log::ChangeLog;
use super::cleanup;
use super::database_file::DatabaseFile;
use super::layout::{self, LAYOUT};
use super::open_database::OpenDatabase;
use super::storage::{Storage, fault_from_code, file_identity, refine_fault, storage_fault};
use crate::{TABLE, private_file};

/// The database's file in a data directory.
pub(crate) const DATABASE_FILE: &str = "table.sqlite";

/// Why the embedded table cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the directory open.
    #[error("{} is in use by another imageshare; stop that one, or choose another directory with --data", .0.display())]
    InUse(PathBuf),
    /// A file cannot be created or opened.
    #[error("cannot open {}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The disk is full, or it or the database cannot be used.
    #[error("{}", advice(*.fault, .directory, .detail))]
    Storage {
        /// The fault.
        fault: StorageFault,
        /// The data directory.
        directory: PathBuf,
        /// The database's error.
        detail: String,
    },
    /// A later version of this program wrote the database.
    #[error(
        "{} was written by {writer}, and this is {}, which supports layouts up to {LAYOUT}, not {layout}. Start that \
         version, or restore a backup of this version into another directory",
        .directory.display(), env!("CARGO_PKG_VERSION")
    )]
    NewerLayout {
        /// The data directory.
        directory: PathBuf,
        /// The version that wrote it.
        writer: String,
        /// Its layout.
        layout: u32,
    },
    /// The database cannot be opened for another reason.
    #[error("cannot open the database in {}: {source}", .directory.display())]
    Database {
        /// The data directory.
        directory: PathBuf,
        /// The database's error.
        source: DynoxideError,
    },
    /// The table's thread cannot be started.
    #[error("cannot start the table's thread: {0}")]
    Thread(io::Error),
}

/// The message for an operator about a fault of the storage at the start: what is wrong, and what to do.
fn advice(fault: StorageFault, directory: &Path, detail: &str) -> String {
    let directory = directory.display();
    match fault {
        StorageFault::Full => format!("the disk of {directory} is full: make room there, then start again"),
        StorageFault::Damaged => format!(
            "the database in {directory} is damaged ({detail}): move the directory away and restore a backup with \
             `imageshare restore --from FILE --data {directory}`; `imageshare check --data DIR` shows what is wrong with \
             the old one"
        ),
        StorageFault::Missing => {
            format!("the database in {directory} was removed while it was opened; start again")
        }
        StorageFault::Failing => format!(
            "the database in {directory} cannot be read or written ({detail}): check the disk, and the permissions of the \
             directory and its files"
        ),
    }
}

impl OpenError {
    fn database_error(directory: &Path) -> impl Fn(DynoxideError) -> Self + '_ {
        move |source| match storage_fault(&source) {
            Some(fault) => {
                let fault = refine_fault(fault, directory);
                Self::Storage { fault, directory: directory.to_owned(), detail: source.to_string() }
            }
            None => Self::Database { directory: directory.to_owned(), source },
        }
    }

    fn file_error(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
        move |source| Self::File { path: path.to_owned(), source }
    }
}

/// Opens a database in memory, with its tables.
pub(super) fn open_in_memory() -> Result<OpenDatabase, OpenError> {
    let failed = OpenError::database_error(Path::new("memory"));
    // A name in this process, so that a second connection finds the database. It is gone with its last connection.
    let name = format!("file:/imageshare-{}?vfs=memdb", Uuid::new_v4());
    let database = Database::new(&name).map_err(&failed)?;
    create_tables(&database).map_err(&failed)?;
    let changes = Arc::new(ChangeLog::open(&name).map_err(|problem| failed(problem.into()))?);
    Ok(OpenDatabase { database, database_file: None, changes, storage: Arc::default(), _lock: None })
}

/// Opens the database of a directory, which must exist.
pub(super) fn open_directory(directory: &Path) -> Result<OpenDatabase, OpenError> {
    let lock = lock_directory(directory)?;
    let path = directory.join(DATABASE_FILE);
    let failed = OpenError::database_error(directory);
    reject_newer_layout(directory, &path)?;
    private_file::create_private(&path).map_err(OpenError::file_error(&path))?;
    // The database takes the path as a string. A path that is not UTF-8 fails to open.
    let database = Database::new(&path.to_string_lossy()).map_err(&failed)?;
    create_tables(&database).map_err(&failed)?;
    layout::migrate(&path).map_err(|problem| failed(problem.into()))?;
    let changes = ChangeLog::open(&path.to_string_lossy()).map_err(|problem| failed(problem.into()))?;
    let database_file = open_database_file(&path);
    let storage = Arc::new(Storage::for_database(&path).map_err(OpenError::file_error(&path))?);
    let (changes, lock) = (Arc::new(changes), Some(Arc::new(lock)));
    Ok(OpenDatabase { database, database_file, changes, storage, _lock: lock })
}

/// Rejects a database that a later version of this program has written, before anything is changed.
fn reject_newer_layout(directory: &Path, path: &Path) -> Result<(), OpenError> {
    let directory = directory.to_owned();
    match layout::read_file(path) {
        Ok(Some(version)) if version.layout > LAYOUT => {
            Err(OpenError::NewerLayout { directory, writer: version.writer(), layout: version.layout })
        }
        Ok(_) => Ok(()),
        Err(problem) => Err(match problem.sqlite_error_code().and_then(fault_from_code) {
            Some(fault) => {
                let fault = refine_fault(fault, &directory);
                OpenError::Storage { fault, directory, detail: problem.to_string() }
            }
            None => OpenError::Database { directory, source: problem.into() },
        }),
    }
}

/// Opens the database's file for shrinking it. On failure logs a warning and returns `None`; the file then only grows.
fn open_database_file(path: &Path) -> Option<Arc<DatabaseFile>> {
    let file = DatabaseFile::open(path).inspect_err(|problem| {
        tracing::warn!(
            %problem,
            path = %path.display(),
            "the database's file cannot be opened for shrinking; it will only grow"
        );
    });
    file.ok().map(Arc::new)
}

/// Creates the service's table and the table of the cleanup's cursor, unless they exist.
pub(super) fn create_tables(database: &Database) -> Result<(), DynoxideError> {
    match database.create_table(parse_request(cleanup::cursor_table_definition())?) {
        Ok(_) | Err(DynoxideError::ResourceInUseException(_)) => {}
        Err(error) => return Err(error),
    }
    match database.create_table(parse_request(table_definition(TABLE))?) {
        Ok(_) => {
            let expiry = json!({
                "TableName": TABLE,
                "TimeToLiveSpecification": {"AttributeName": TTL, "Enabled": true},
            });
            database.update_time_to_live(parse_request(expiry)?).map(drop)
        }
        Err(DynoxideError::ResourceInUseException(_)) => enable_stream(database),
        Err(error) => Err(error),
    }
}

/// Enables the stream of a table that an earlier version of this program has created. Its items get into the stream with
/// their next change.
fn enable_stream(database: &Database) -> Result<(), DynoxideError> {
    let table = database.describe_table(parse_request(json!({ "TableName": TABLE }))?)?.table;
    if table.stream_specification.is_some_and(|stream| stream.stream_enabled) {
        return Ok(());
    }
    let definition = table_definition(TABLE);
    let stream = definition.get("StreamSpecification");
    let update = json!({ "TableName": TABLE, "StreamSpecification": stream });
    database.update_table(parse_request(update)?).map(drop)
}

fn parse_request<T: DeserializeOwned>(json: Value) -> Result<T, DynoxideError> {
    serde_json::from_value(json).map_err(|error| DynoxideError::SerializationException(error.to_string()))
}

/// Locks a data directory against other processes, until the returned file is dropped. It locks the directory itself: a
/// file in it could be replaced, and the new one locked by another process.
///
/// # Errors
/// Another process has the lock, or the directory cannot be opened.
pub(crate) fn lock_directory(directory: &Path) -> Result<File, OpenError> {
    let failed = OpenError::file_error(directory);
    let file = File::open(directory).map_err(&failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(directory.to_owned())),
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    // The directory may have been replaced between opening and locking it.
    let locked = file.metadata().map_err(&failed)?;
    if file_identity(directory).map_err(&failed)? == (locked.dev(), locked.ino()) {
        Ok(file)
    } else {
        Err(OpenError::InUse(directory.to_owned()))
    }
}
