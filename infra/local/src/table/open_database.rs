//! An open database.

use std::fs::File;
use std::sync::Arc;

use dynoxide::Database;

use super::database_file::DatabaseFile;
use super::storage::Storage;

/// An open database, and the lock that keeps other processes out of its directory until the last copy is dropped.
#[derive(Clone)]
pub(super) struct OpenDatabase {
    pub(super) database: Database,
    /// The database's file, where it has one that can become smaller.
    pub(super) database_file: Option<Arc<DatabaseFile>>,
    pub(super) storage: Arc<Storage>,
    pub(super) _lock: Option<Arc<File>>,
}
