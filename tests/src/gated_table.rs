//! A table that makes each call only when the test lets it: so a test chooses the order in which workers and requests
//! get on, kills any of them between any two calls, and learns what each has read and written.
//!
//! Only what runs within [`gated`] waits; so several can share one store, as the requests of one process do, and each still
//! has its turns apart.
//!
//! Calls within [`gated`] conflict by the rules of [`ItemLocks`]; calls outside conflict with nothing. A transaction holds its items
//! from its request, while it waits at the gate, until it is made, lost, or given up by its caller.

use imageshare::table::{
    AttributeValue, BatchRead, Key, Page, Query, ReadOutput, Table, TableError, TableFuture,
    TransactionToken, Write, WriteOutput,
};
use tokio::sync::{mpsc, oneshot};
use tokio::task_local;
use tokio::time::sleep;

use crate::conflicting_table::{DEFAULT_CONFLICT_LATENCY, ItemLocks, is_conflict};

/// What becomes of a call that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is made.
    Execute,
    /// It is made, and its answer is lost.
    LoseResponse,
    /// It is lost, and not made.
    LoseRequest,
}

/// What somebody does at the table.
#[derive(Debug)]
pub enum GateEvent {
    /// A call waits to be let through.
    Waiting {
        /// Lets it through.
        verdict: oneshot::Sender<Verdict>,
        /// What it writes, if anything.
        writes: Vec<Write>,
    },
    /// Something was read; of the index, that list.
    Read(Option<String>),
    /// These writes were made.
    Written(Vec<Write>),
    /// These writes were not made, since a condition did not hold.
    ConditionFailed(Vec<Write>),
    /// A transaction was cancelled at its request, without a wait: another one holds one of its items.
    Cancelled,
    /// A plain write that was let through was rejected: a transaction holds its item.
    Rejected,
    /// A call that was let through was lost.
    Lost,
}

task_local! {
    static EVENTS: mpsc::UnboundedSender<GateEvent>;
}

/// Does some work whose calls to a gated table wait until they are let through, and tells its steps.
pub fn gated<F: Future>(work: F) -> (impl Future<Output = F::Output>, mpsc::UnboundedReceiver<GateEvent>) {
    let (steps, told) = mpsc::unbounded_channel();
    (EVENTS.scope(steps, work), told)
}

fn emit(step: GateEvent) {
    // Outside of gated work nobody listens, and a test that does not listen any more has failed already.
    let _ = EVENTS.try_with(|steps| drop(steps.send(step)));
}

/// Whether this runs within [`gated`].
fn is_gated() -> bool {
    EVENTS.try_with(|_| ()).is_ok()
}

/// A table with a gate before it.
#[derive(Debug, Clone)]
pub struct GatedTable<T> {
    table: T,
    locks: ItemLocks,
}

impl<T: Table> GatedTable<T> {
    /// A gate before that table. Gates before one table must share the holds.
    pub fn new(table: T, holds: ItemLocks) -> Self {
        Self { table, locks: holds }
    }

    /// Makes a transaction.
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

    /// Makes a plain write.
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
        let lost = || Err(TableError::Closed("as the test wants it".to_owned()));
        let (go, let_through) = oneshot::channel();
        emit(GateEvent::Waiting { verdict: go, writes: writes.to_vec() });
        let verdict = let_through.await.unwrap_or(Verdict::LoseRequest);
        if verdict == Verdict::LoseRequest {
            emit(GateEvent::Lost);
            return lost();
        }
        let answer = call.await;
        emit(match &answer {
            Ok(_) => step(),
            Err(failure) if is_conflict(failure) => GateEvent::Rejected,
            Err(TableError::Canceled(_)) => GateEvent::ConditionFailed(writes.to_vec()),
            Err(_) => GateEvent::Lost,
        });
        if verdict == Verdict::LoseResponse { lost() } else { answer }
    }
}

/// The partition of the index that a query reads.
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
