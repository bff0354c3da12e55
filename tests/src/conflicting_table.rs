//! A table whose transactions take time and conflict as DynamoDB's do, on tokio's paused clock.
//!
//! The embedded database executes one call after the other, so none conflict. Here a transaction takes virtual time,
//! in which it conflicts with others by the rules of [`ItemLocks`]. From DynamoDB's Developer Guide:
//!
//! * reads return what was committed;
//! * a transaction uses two write units per KB of each item, even if it is cancelled; a plain write uses one, even if
//!   its condition does not hold.
//!
//! Where the guide is silent, the harsher behaviour is assumed: a rejected plain write uses its units too. A call
//! runs to its end even if its caller stops waiting.
//!
//! Not modelled: a cancelled transaction reports conflicts only, not conditions that fail as well; a batch read never
//! sees half of a transaction; no partition is throttled.

mod item_size;
mod locks;
mod report;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use imageshare::table::{
    Action, BatchRead, CONDITION_FAILED, Key, Page, Projection, Query, ReadOutput, Table, TableError,
    TableFuture, TransactionToken, Write, WriteOutput, standalone_check_error,
};
use tokio::time::{Instant, sleep_until};

pub use self::locks::{
    DEFAULT_CONFLICT_LATENCY, ItemLockGuard, ItemLocks, TRANSACTION_CONFLICT, is_conflict,
};
use self::locks::{ItemKey, has_reason, item_key, item_or_key};
pub use self::report::{CallReport, CallStats, Operation};
use crate::blocking_table::BlockingTable;

/// The virtual time from the request of a call to its response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latencies {
    /// `GetItem`, `BatchGetItem` or `Query`. It reads after half the time.
    pub read: Duration,
    /// `PutItem`, `UpdateItem` or `DeleteItem`. It writes after half the time.
    pub write: Duration,
    /// `TransactWriteItems`. It writes at the end.
    pub transaction: Duration,
    /// A transaction that conflicts.
    pub conflict: Duration,
}

impl Default for Latencies {
    fn default() -> Self {
        Self {
            read: Duration::from_millis(4),
            write: Duration::from_millis(5),
            transaction: Duration::from_millis(10),
            conflict: DEFAULT_CONFLICT_LATENCY,
        }
    }
}

/// A table with conflicts. Clones are the same table.
#[derive(Debug, Clone)]
pub struct ConflictingTable(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    table: BlockingTable,
    latencies: Latencies,
    locks: ItemLocks,
    report: Mutex<CallReport>,
}

impl ConflictingTable {
    /// Wraps an embedded table.
    pub fn new(table: BlockingTable, latencies: Latencies) -> Self {
        Self(Arc::new(Inner { table, latencies, locks: ItemLocks::default(), report: Mutex::default() }))
    }

    /// The calls so far.
    pub fn report(&self) -> CallReport {
        self.0.lock_report().clone()
    }
}

impl Table for ConflictingTable {
    fn get_item<'a>(&'a self, key: &'a Key) -> TableFuture<'a, ReadOutput> {
        Box::pin(self.0.read(Operation::GetItem, self.0.table.get_item(key), |found| found.units))
    }

    fn batch_get_item<'a>(&'a self, read: &'a BatchRead) -> TableFuture<'a, ReadOutput> {
        Box::pin(self.0.read(Operation::BatchGetItem, self.0.table.batch_get_item(read), |found| found.units))
    }

    fn query<'a>(&'a self, query: &'a Query) -> TableFuture<'a, Page> {
        Box::pin(self.0.read(Operation::Query, self.0.table.query(query), |page| page.units))
    }

    fn write_item<'a>(&'a self, write: &'a Write) -> TableFuture<'a, WriteOutput> {
        let (shared, write) = (Arc::clone(&self.0), write.clone());
        Box::pin(run_to_completion(async move { shared.write(&write).await }))
    }

    fn transact_write_items<'a>(
        &'a self,
        writes: &'a [Write],
        token: TransactionToken,
    ) -> TableFuture<'a, WriteOutput> {
        let (shared, writes) = (Arc::clone(&self.0), writes.to_vec());
        Box::pin(run_to_completion(async move { shared.transact(&writes, token).await }))
    }
}

/// Runs a call in its own task, so that it continues if its caller is dropped.
async fn run_to_completion(
    call: impl Future<Output = Result<WriteOutput, TableError>> + Send + 'static,
) -> Result<WriteOutput, TableError> {
    tokio::spawn(call).await.expect("the database does not panic")
}

impl Inner {
    async fn read<T>(
        &self,
        operation: Operation,
        call: TableFuture<'_, T>,
        units: impl Fn(&T) -> f64 + Send,
    ) -> Result<T, TableError> {
        let started = Instant::now();
        sleep_until(started + self.latencies.read / 2).await;
        let response = call.await;
        if let Ok(read) = &response {
            self.lock_report().record_success(operation, units(read));
        }
        sleep_until(started + self.latencies.read).await;
        response
    }

    async fn write(&self, write: &Write) -> Result<WriteOutput, TableError> {
        let operation = match write.action {
            Action::Put(_) => Operation::PutItem,
            Action::Update(..) => Operation::UpdateItem,
            Action::Delete(_) => Operation::DeleteItem,
            Action::Check(_) => return Err(standalone_check_error()),
        };
        let started = Instant::now();
        sleep_until(started + self.latencies.write / 2).await;
        let response = match self.locks.check(write) {
            Ok(()) => self.table.write_item(write).await,
            Err(conflict) => Err(conflict),
        };
        self.record_call(operation, std::slice::from_ref(write), &response, 1.0).await?;
        sleep_until(started + self.latencies.write).await;
        response
    }

    async fn transact(&self, writes: &[Write], token: TransactionToken) -> Result<WriteOutput, TableError> {
        let started = Instant::now();
        let (_guard, outcome) = self.locks.lock(writes);
        let response = match outcome {
            Ok(()) => {
                sleep_until(started + self.latencies.transaction).await;
                self.table.transact_write_items(writes, token).await
            }
            Err(conflict) => {
                sleep_until(started + self.latencies.conflict).await;
                Err(conflict)
            }
        };
        self.record_call(Operation::TransactWriteItems, writes, &response, 2.0).await?;
        response
    }

    /// Records a write that uses `factor` units per KB.
    async fn record_call(
        &self,
        operation: Operation,
        writes: &[Write],
        response: &Result<WriteOutput, TableError>,
        factor: f64,
    ) -> Result<(), TableError> {
        match response {
            Ok(written) => self.lock_report().record_success(operation, written.units),
            Err(failure) if has_reason(failure, CONDITION_FAILED) => {
                let units = factor * self.charged_kilobytes(writes).await?;
                self.lock_report().record_failed_condition(operation, units);
            }
            Err(failure) if is_conflict(failure) => {
                let units = factor * self.charged_kilobytes(writes).await?;
                self.lock_report().record_conflict(operation, units);
            }
            Err(_) => {}
        }
        Ok(())
    }

    /// The sizes in KB of the items of a failed write: the stored or the new item, whichever is larger.
    async fn charged_kilobytes(&self, writes: &[Write]) -> Result<f64, TableError> {
        let item_keys: HashSet<_> = writes.iter().map(item_key).collect();
        let keys = item_keys.iter().map(ItemKey::to_key).collect();
        let read = BatchRead { keys, consistent: true, projection: Projection::All };
        let stored = self.table.batch_get_item(&read).await?.items;
        let size = |write: &Write| {
            let stored = stored.iter().find(|stored| ItemKey::from_item(stored) == item_key(write));
            let put = matches!(write.action, Action::Put(_)).then(|| item_or_key(write));
            stored.into_iter().chain(put).map(item_size::charged_kilobytes).fold(1.0, f64::max)
        };
        Ok(writes.iter().map(size).sum())
    }

    fn lock_report(&self) -> MutexGuard<'_, CallReport> {
        self.report.lock().expect("no panic under the lock")
    }
}
