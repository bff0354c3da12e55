//! The embedded DynamoDB: a database in this process that has the service's table.

mod change_log;
mod cleanup;
mod convert;
mod database_file;
mod fair_queue;
pub(crate) mod integrity;
pub(crate) mod layout;
mod open;
mod open_database;
mod scheduler;
mod shrink;
mod storage;
mod table_lane;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dynoxide::{Database, DynoxideError};
use imageshare::table::StorageFault;
use tokio::sync::Notify;

pub(crate) use self::change_log::Change;
pub use self::cleanup::{CleanupError, CleanupReport};
pub use self::open::OpenError;
pub(crate) use self::open::{DATABASE_FILE, lock_directory};
use self::open::{open_directory, open_in_memory};
use self::open_database::OpenDatabase;
use self::scheduler::CallScheduler;
pub use self::scheduler::{CallError, Lane};
use self::storage::storage_fault;
pub use self::table_lane::TableLane;

/// A health check that takes longer has failed.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(1);

/// An embedded DynamoDB, open until it is closed, or until it and all its lanes are dropped.
pub struct EmbeddedTable {
    scheduler: Arc<CallScheduler<OpenDatabase>>,
    /// The database that the lanes use, for calls that bypass them.
    opened: OpenDatabase,
    work_notify: Arc<Notify>,
    change_notify: Arc<Notify>,
}

/// Why changes cannot be read or removed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The table is closed, or the call has failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The database fails.
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
}

/// Why an open table does not respond or does not store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HealthError {
    /// A cheap read takes more than a second.
    #[error("the table does not respond")]
    Unresponsive,
    /// Its storage has failed.
    #[error("{0}")]
    Storage(StorageFault),
}

impl EmbeddedTable {
    /// Opens the database `table.sqlite` in a directory, which must exist; without a directory, a database in memory.
    /// Creates the service's table in a new database, and migrates one of an earlier version.
    ///
    /// # Errors
    /// The directory is in use by another process or of a later version, or the file cannot be opened or written.
    pub fn open(directory: Option<&Path>) -> Result<Self, OpenError> {
        let opened = match directory {
            Some(directory) => open_directory(directory)?,
            None => open_in_memory()?,
        };
        let lanes = CallScheduler::new("table", opened.clone()).map_err(OpenError::Thread)?;
        let (work_notify, change_notify) = Default::default();
        Ok(Self { scheduler: Arc::new(lanes), opened, work_notify, change_notify })
    }

    /// The table through that lane.
    pub fn lane(&self, lane: Lane) -> TableLane {
        TableLane {
            queue: self.scheduler.lane_queue(lane),
            scheduler: Arc::clone(&self.scheduler),
            storage: Arc::clone(&self.opened.storage),
            work_notify: Arc::clone(&self.work_notify),
            change_notify: Arc::clone(&self.change_notify),
        }
    }

    /// A notification for each committed work item that is ready to be executed.
    pub fn work_notify(&self) -> Arc<Notify> {
        Arc::clone(&self.work_notify)
    }

    /// A notification for each committed write.
    pub(crate) fn change_notify(&self) -> Arc<Notify> {
        Arc::clone(&self.change_notify)
    }

    /// Reads the oldest changes that were not handled, up to `limit`.
    ///
    /// # Errors
    /// [`ChangeError`] if the table is closed or the database fails.
    pub(crate) async fn changes(&self, limit: usize) -> Result<Vec<Change>, ChangeError> {
        let queue = self.scheduler.lane_queue(Lane::Worker);
        Ok(self.scheduler.run(&queue, move |opened| opened.changes.read(limit)).await??)
    }

    /// Removes the changes up to a number, once they were handled.
    ///
    /// # Errors
    /// [`ChangeError`] if the table is closed or the database fails.
    pub(crate) async fn remove_changes(&self, up_to: i64) -> Result<(), ChangeError> {
        let queue = self.scheduler.lane_queue(Lane::Worker);
        Ok(self.scheduler.run(&queue, move |opened| opened.changes.remove(up_to)).await??)
    }

    /// The database itself, for tests that bypass the service.
    pub fn database(&self) -> &Database {
        &self.opened.database
    }

    /// Checks whether the database responds and stores. One cheap read; two more writes after a fault of the disk,
    /// until they succeed.
    ///
    /// # Errors
    /// [`HealthError`], at the latest after a second for each call.
    pub async fn health(&self) -> Result<(), HealthError> {
        match self.opened.storage.fault() {
            Some(fault @ (StorageFault::Missing | StorageFault::Damaged)) => {
                return Err(HealthError::Storage(fault));
            }
            Some(StorageFault::Full | StorageFault::Failing) => {
                self.check_health(cleanup::write_probe).await?;
                self.opened.storage.record_recovery();
            }
            None => {}
        }
        self.check_health(|database| database.table_count().map(drop)).await
    }

    async fn check_health(
        &self,
        call: fn(&Database) -> Result<(), DynoxideError>,
    ) -> Result<(), HealthError> {
        let queue = self.scheduler.lane_queue(Lane::Request);
        let check = self.scheduler.run(&queue, move |opened| call(&opened.database));
        match tokio::time::timeout(HEALTH_TIMEOUT, check).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(problem))) => {
                let fault = storage_fault(&problem).ok_or(HealthError::Unresponsive)?;
                Err(HealthError::Storage(self.opened.storage.record_fault(fault)))
            }
            Ok(Err(_)) | Err(_) => Err(HealthError::Unresponsive),
        }
    }

    /// Deletes expired items, and shrinks the database's file if much of it is free.
    ///
    /// Reads the whole table, or the rest of it if the last cleanup was stopped. Takes at most a tenth of the
    /// database's time, or half of it while the database is idle. Requests and background work come first.
    ///
    /// # Errors
    /// [`CleanupError`] if the table is closed or the database fails. What was deleted stays deleted.
    pub async fn remove_expired(&self) -> Result<CleanupReport, CleanupError> {
        let removed = cleanup::run_pass(&self.scheduler).await?;
        let freed_bytes = match &self.opened.database_file {
            Some(file) => shrink::shrink_file(&self.scheduler, file, removed.items > 0).await?,
            None => 0,
        };
        Ok(CleanupReport { freed_bytes, ..removed })
    }

    /// Accepts no more calls, and returns when those that wait have ended. The database is closed, and its directory
    /// unlocked, when this table is dropped.
    pub async fn close(&self) {
        self.scheduler.close().await;
    }
}

#[cfg(test)]
mod tests;
