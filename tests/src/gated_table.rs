//! A table that executes each call when the test allows it. A test chooses the order of the calls of workers and
//! requests, kills any of them between two calls, and sees what each has read and written.
//!
//! Only calls within [`gated`] wait. So several tasks can share one store, as the requests of one process do, and
//! each is still gated separately.
//!
//! Calls within [`gated`] conflict by the rules of [`ItemLocks`]; calls outside conflict with nothing. A transaction
//! locks its items from its request until it is executed, lost, or dropped by its caller.

use imageshare::table::{
    AttributeValue, BatchRead, Key, Page, Query, ReadOutput, Table, TableError, TableFuture,
    TransactionToken, Write, WriteOutput,
};
use tokio::sync::{mpsc, oneshot};
use tokio::task_local;
use tokio::time::sleep;

use crate::conflicting_table::{DEFAULT_CONFLICT_LATENCY, ItemLocks, is_conflict};

/// What happens to a waiting call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is executed.
    Execute,
    /// It is executed, and its response is lost.
    LoseResponse,
    /// It is lost and not executed.
    LoseRequest,
}

/// What a gated task does at the table.
#[derive(Debug)]
pub enum GateEvent {
    /// A call waits at the gate.
    Waiting {
        /// Releases the call.
        verdict: oneshot::Sender<Verdict>,
        /// The writes of the call; empty for a read.
        writes: Vec<Write>,
    },
    /// A read was executed; `Some` is the list that a query of the index read.
    Read(Option<String>),
    /// These writes were executed.
    Written(Vec<Write>),
    /// These writes were not executed, since a condition did not hold.
    ConditionFailed(Vec<Write>),
    /// A transaction was cancelled at its request, without waiting, since another one holds one of its items.
    Cancelled,
    /// A released plain write was rejected, since a transaction holds its item.
    Rejected,
    /// A released call was lost.
    Lost,
}

task_local! {
    static EVENTS: mpsc::UnboundedSender<GateEvent>;
}

/// Runs a task whose calls to a gated table wait until they are released. Reports its steps.
pub fn gated<F: Future>(work: F) -> (impl Future<Output = F::Output>, mpsc::UnboundedReceiver<GateEvent>) {
    let (steps, events) = mpsc::unbounded_channel();
    (EVENTS.scope(steps, work), events)
}

fn emit(step: GateEvent) {
    // Without a receiver, the call is outside of gated work, or the test has failed already.
    let _ = EVENTS.try_with(|steps| drop(steps.send(step)));
}

/// Whether this code runs within [`gated`].
fn is_gated() -> bool {
    EVENTS.try_with(|_| ()).is_ok()
}

/// A table behind a gate.
#[derive(Debug, Clone)]
pub struct GatedTable<T> {
    table: T,
    locks: ItemLocks,
}

impl<T: Table> GatedTable<T> {
    /// Puts a gate before a table. All gates of one table must share their locks.
    pub fn new(table: T, holds: ItemLocks) -> Self {
        Self { table, locks: holds }
    }

    /// Executes a transaction.
    async fn transact(&self, writes: &[Write], token: TransactionToken) -> Result<WriteOutput, TableError> {
        let call = self.table.transact_write_items(writes, token);
        if !is_gated() {
            return call.await;
        }
        let (_guard, outcome) = self.locks.lock(writes);
        if let Err(conflict) = outcome {
            emit(GateEvent::Cancelled);
            sleep(DEFAULT_CONFLICT_LATENCY).await;
            return Err(conflict);
        }
        self.pass_gate(call, writes, || GateEvent::Written(writes.to_vec())).await
    }

    /// Executes a plain write.
    async fn write(&self, write: &Write) -> Result<WriteOutput, TableError> {
        let call = self.table.write_item(write);
        if !is_gated() {
            return call.await;
        }
        let unless_held = Box::pin(async move {
            self.locks.check(write)?;
            call.await
        });
        let writes = std::slice::from_ref(write);
        self.pass_gate(unless_held, writes, || GateEvent::Written(writes.to_vec())).await
    }

    async fn pass_gate<A>(
        &self,
        call: TableFuture<'_, A>,
        writes: &[Write],
        step: impl FnOnce() -> GateEvent,
    ) -> Result<A, TableError> {
        if !is_gated() {
            return call.await;
        }
        let lost = || Err(TableError::Closed("lost by the test".to_owned()));
        let (release, let_through) = oneshot::channel();
        emit(GateEvent::Waiting { verdict: release, writes: writes.to_vec() });
        let verdict = let_through.await.unwrap_or(Verdict::LoseRequest);
        if verdict == Verdict::LoseRequest {
            emit(GateEvent::Lost);
            return lost();
        }
        let response = call.await;
        emit(match &response {
            Ok(_) => step(),
            Err(failure) if is_conflict(failure) => GateEvent::Rejected,
            Err(TableError::Canceled(_)) => GateEvent::ConditionFailed(writes.to_vec()),
            Err(_) => GateEvent::Lost,
        });
        if verdict == Verdict::LoseResponse { lost() } else { response }
    }
}

/// The index partition that a query reads.
fn queried_list(query: &Query) -> Option<String> {
    let (_, list) = query.values.iter().find(|(name, _)| *name == ":list")?;
    if let AttributeValue::S(list) = list { Some(list.clone()) } else { None }
}

impl<T: Table> Table for GatedTable<T> {
    fn get_item<'a>(&'a self, key: &'a Key) -> TableFuture<'a, ReadOutput> {
        Box::pin(self.pass_gate(self.table.get_item(key), &[], || GateEvent::Read(None)))
    }

    fn batch_get_item<'a>(&'a self, read: &'a BatchRead) -> TableFuture<'a, ReadOutput> {
        Box::pin(self.pass_gate(self.table.batch_get_item(read), &[], || GateEvent::Read(None)))
    }

    fn query<'a>(&'a self, query: &'a Query) -> TableFuture<'a, Page> {
        Box::pin(self.pass_gate(self.table.query(query), &[], || GateEvent::Read(queried_list(query))))
    }

    fn write_item<'a>(&'a self, write: &'a Write) -> TableFuture<'a, WriteOutput> {
        Box::pin(self.write(write))
    }

    fn transact_write_items<'a>(
        &'a self,
        writes: &'a [Write],
        token: TransactionToken,
    ) -> TableFuture<'a, WriteOutput> {
        Box::pin(self.transact(writes, token))
    }
}
