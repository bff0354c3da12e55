//! The embedded DynamoDB: a database in this process, with the service's table in it.

mod calls;
mod convert;
mod expiry;
mod flows;
pub(crate) mod integrity;
mod lanes;
pub(crate) mod layout;
mod open;
mod space;
mod storage;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dynoxide::{Database, DynoxideError};
use imageshare::table::StorageFault;
use tokio::sync::Notify;

pub use self::calls::TableLane;
pub use self::expiry::{RemovalError, Removed};
use self::lanes::Lanes;
pub use self::lanes::{Lane, Unanswered};
pub use self::open::OpenError;
pub(crate) use self::open::{DATABASE, lock};
use self::open::{open_files, open_memory};
use self::space::Space;
use self::storage::{Storage, fault_of};
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
    storage: Arc<Storage>,
    _lock: Option<Arc<File>>,
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

#[cfg(test)]
mod tests;
