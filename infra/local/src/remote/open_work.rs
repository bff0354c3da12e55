//! The work that a server has opened itself, in place of the table's stream.
//!
//! A server executes the work items that its own writes open, at once. It is the only one to know of them at that
//! moment, so servers do not contend for work, and an idle server reads nothing. What a server leaves open when it is
//! killed, its next start finds in the index of open work, and otherwise the sweep of any server.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use imageshare::App;
use imageshare::domain::TenantId;
use imageshare::store::{OPEN_SHARDS, StoreError, WorkItemKey, opened_work_item};
use imageshare::table::{
    BatchRead, Key, Page, Query, ReadOutput, Table, TableError, TableFuture, TransactionToken, Write,
    WriteOutput,
};
use serde_json::Value;
use tokio::sync::Notify;

use crate::dispatcher::{JobWorker, Worker, is_schedule_event};

/// The most work items that the dispatcher gets at a time.
const MAX_LISTED: usize = 400;

/// The most work items that a start reads from a shard of the index.
const MAX_ITEMS_PER_SHARD: usize = 1_000;

/// How long a server has the turn to sweep: somewhat less than the minute between two of its own attempts, so that a
/// server that is alone takes every turn.
const SWEEP_TURN: Duration = Duration::from_secs(50);

/// The interval in which a server first tries to sweep, at a random moment.
const MAX_FIRST_SWEEP_DELAY_MS: u64 = 60_000;

/// The work items that this server has opened or found, and that are not known to have ended. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct OpenWork {
    items: Arc<Mutex<BTreeSet<WorkItemKey>>>,
    notify: Arc<Notify>,
}

impl OpenWork {
    /// Notifies for each work item that is added.
    pub fn notify(&self) -> Arc<Notify> {
        Arc::clone(&self.notify)
    }

    fn add(&self, items: impl IntoIterator<Item = WorkItemKey>) {
        let mut known = self.lock();
        let before = known.len();
        known.extend(items);
        if known.len() > before {
            self.notify.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<WorkItemKey>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the work items that these writes open, unless they were certainly not made. One that does not exist after
    /// all costs the worker one read.
    fn record(&self, writes: &[Write], result: &Result<WriteOutput, TableError>) {
        if result.as_ref().err().is_none_or(TableError::may_have_been_applied) {
            self.add(writes.iter().filter_map(opened_work_item));
        }
    }
}

/// A table that records the work items that are opened through it.
pub struct RecordingTable {
    table: Arc<dyn Table>,
    open_work: OpenWork,
}

impl RecordingTable {
    /// Wraps a table.
    pub fn new(table: impl Table + 'static, open_work: OpenWork) -> Self {
        Self { table: Arc::new(table), open_work }
    }
}

impl fmt::Debug for RecordingTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table.fmt(f)
    }
}

impl Table for RecordingTable {
    fn charges_for_transactions(&self) -> bool {
        self.table.charges_for_transactions()
    }

    fn get_item<'a>(&'a self, key: &'a Key) -> TableFuture<'a, ReadOutput> {
        self.table.get_item(key)
    }

    fn batch_get_item<'a>(&'a self, read: &'a BatchRead) -> TableFuture<'a, ReadOutput> {
        self.table.batch_get_item(read)
    }

    fn query<'a>(&'a self, query: &'a Query) -> TableFuture<'a, Page> {
        self.table.query(query)
    }

    fn write_item<'a>(&'a self, write: &'a Write) -> TableFuture<'a, WriteOutput> {
        Box::pin(async move {
            let result = self.table.write_item(write).await;
            self.open_work.record(std::slice::from_ref(write), &result);
            result
        })
    }

    fn transact_write_items<'a>(
        &'a self,
        writes: &'a [Write],
        token: TransactionToken,
    ) -> TableFuture<'a, WriteOutput> {
        Box::pin(async move {
            let result = self.table.transact_write_items(writes, token).await;
            self.open_work.record(writes, &result);
            result
        })
    }

    fn for_tenant(&self, tenant: &TenantId) -> Option<Arc<dyn Table>> {
        let table = self.table.for_tenant(tenant)?;
        Some(Arc::new(Self { table, open_work: self.open_work.clone() }))
    }
}

/// The job-worker function of one of several servers.
pub struct RemoteWorker {
    worker: JobWorker,
    open_work: OpenWork,
}

impl RemoteWorker {
    /// Executes what is in `open_work`, with the store and settings of `app`.
    pub fn new(app: App, open_work: OpenWork) -> Self {
        Self { worker: JobWorker { app }, open_work }
    }

    /// Takes up all open work of the table, for the start of a server: what it left open when it was killed. Another
    /// server may be executing some of it; then both do, and each step is committed once. One query for each shard.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn take_up_open_work(&self) -> Result<(), StoreError> {
        let mut found = Vec::new();
        for shard in 0..OPEN_SHARDS {
            let store = &self.worker.app.store;
            found.extend(store.open_work_items(shard, None, MAX_ITEMS_PER_SHARD).await?);
        }
        if !found.is_empty() {
            tracing::info!(work_items = found.len(), "open work of the table is taken up");
        }
        self.open_work.add(found);
        Ok(())
    }
}

impl Worker for RemoteWorker {
    async fn open_work_items(&self) -> Result<Vec<WorkItemKey>, StoreError> {
        Ok(self.open_work.lock().iter().take(MAX_LISTED).copied().collect())
    }

    /// Handles an event; a scheduled one only if this server has the turn to sweep.
    async fn handle(&self, event: Value) -> Result<Value, String> {
        if is_schedule_event(&event) {
            let turn = self.worker.app.store.take_sweep_turn(SWEEP_TURN).await;
            if !turn.map_err(|problem| format!("the turn to sweep cannot be taken: {problem}"))? {
                return Ok(Value::Null);
            }
        }
        self.worker.handle(event).await
    }

    fn finished(&self, work_item: WorkItemKey) {
        self.open_work.lock().remove(&work_item);
    }

    fn first_sweep_delay(&self) -> Duration {
        Duration::from_millis(fastrand::u64(..MAX_FIRST_SWEEP_DELAY_MS))
    }
}

#[cfg(test)]
mod tests {
    use imageshare::domain::{JobId, Stamp};

    use super::*;

    fn work_item(number: u16) -> WorkItemKey {
        WorkItemKey { job: JobId(Stamp::now()), number }
    }

    #[tokio::test]
    async fn added_work_is_announced_once_and_kept_until_it_ends() {
        let open_work = OpenWork::default();
        let (first, second) = (work_item(1), work_item(2));
        open_work.add([first, second]);
        open_work.notify().notified().await;
        open_work.add([first]);
        let announced = tokio::time::timeout(Duration::ZERO, open_work.notify.notified()).await;
        assert!(announced.is_err(), "work that is known is announced again");
        open_work.lock().remove(&first);
        assert_eq!(open_work.lock().iter().copied().collect::<Vec<_>>(), [second]);
    }

    #[test]
    fn work_of_a_write_in_doubt_is_recorded() {
        let open = |result: Result<WriteOutput, TableError>| {
            let open_work = OpenWork::default();
            let item = work_item(3);
            let mut put = item.primary_key();
            put.insert("gpk".to_owned(), imageshare::table::AttributeValue::S("W#0".to_owned()));
            open_work.record(&[Write::put(put), Write::delete(item.primary_key())], &result);
            open_work.lock().len()
        };
        assert_eq!(open(Ok(WriteOutput::default())), 1);
        assert_eq!(open(Err(TableError::NoResponse(String::new()))), 1);
        assert_eq!(open(Err(TableError::NotSent(String::new()))), 0);
        assert_eq!(open(Err(TableError::Canceled(Vec::new()))), 0);
    }
}
