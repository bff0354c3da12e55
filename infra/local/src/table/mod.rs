//! The embedded DynamoDB: a database in this process, with the service's table in it.

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

/// An embedded DynamoDB. It lives until it and every client of it are dropped, or until it is closed.
pub struct EmbeddedTable {
    scheduler: Arc<CallScheduler<OpenDatabase>>,
    /// Shares the database with the lanes, for looking behind the service's back.
    opened: OpenDatabase,
    work_notify: Arc<Notify>,
}

/// What keeps an open table from answering or from storing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HealthError {
    /// It does not answer a cheap read within a second.
    #[error("the table does not answer")]
    Unresponsive,
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
            Some(directory) => open_directory(directory)?,
            None => open_in_memory()?,
        };
        let lanes = CallScheduler::new("table", opened.clone()).map_err(OpenError::Thread)?;
        Ok(Self { scheduler: Arc::new(lanes), opened, work_notify: Arc::default() })
    }

    /// The table, through that lane.
    pub fn lane(&self, lane: Lane) -> TableLane {
        TableLane {
            queue: self.scheduler.lane_queue(lane),
            scheduler: Arc::clone(&self.scheduler),
            storage: Arc::clone(&self.opened.storage),
            work_notify: Arc::clone(&self.work_notify),
        }
    }

    /// Is notified when a piece of a job has been written that is to be carried out.
    pub fn work_notify(&self) -> Arc<Notify> {
        Arc::clone(&self.work_notify)
    }

    /// The database itself, for looking behind the service's back.
    pub fn database(&self) -> &Database {
        &self.opened.database
    }

    /// Finds out whether the database answers and stores: one cheap read, and two writes where one has failed since
    /// the last that found the disk in order.
    ///
    /// # Errors
    /// [`HealthError`] says what is wrong.
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
        let line = self.scheduler.lane_queue(Lane::Request);
        let check = self.scheduler.run(&line, move |opened| call(&opened.database));
        match tokio::time::timeout(HEALTH_TIMEOUT, check).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(problem))) => {
                let fault = storage_fault(&problem).ok_or(HealthError::Unresponsive)?;
                Err(HealthError::Storage(self.opened.storage.record_fault(fault)))
            }
            Ok(Err(_)) | Err(_) => Err(HealthError::Unresponsive),
        }
    }

    /// Deletes the items whose time to live has passed, and makes the database's file smaller where much of it is free.
    ///
    /// It reads the whole table, or the rest of it where the last removal was stopped, and takes a tenth of the database's
    /// time at most, half of it while the database is idle. It steps aside for requests and for background work.
    ///
    /// # Errors
    /// [`CleanupError`] where the database does not answer. What was deleted stays deleted.
    pub async fn remove_expired(&self) -> Result<CleanupReport, CleanupError> {
        let removed = cleanup::run_pass(&self.scheduler).await?;
        let freed_bytes = match &self.opened.database_file {
            Some(space) => shrink::shrink_file(&self.scheduler, space, removed.items > 0).await?,
            None => 0,
        };
        Ok(CleanupReport { freed_bytes, ..removed })
    }

    /// Takes no more calls and finishes those that wait. The database is closed, and its directory free for others,
    /// when this table is dropped.
    pub async fn close(&self) {
        self.scheduler.close().await;
    }
}

#[cfg(test)]
mod tests;
