//! The parts of an open database.

use std::fs::File;
use std::sync::Arc;

use dynoxide::Database;

use super::change_log::ChangeLog;
use super::database_file::DatabaseFile;
use super::storage::Storage;

/// An open database, with the lock on its directory. The lock is released when the last clone is dropped.
#[derive(Clone)]
pub(super) struct OpenDatabase {
    pub(super) database: Database,
    /// The database's file, if it has one that can shrink.
    pub(super) database_file: Option<Arc<DatabaseFile>>,
    /// Its changes that were not handled yet.
    pub(super) changes: Arc<ChangeLog>,
    pub(super) storage: Arc<Storage>,
    pub(super) _lock: Option<Arc<File>>,
}
