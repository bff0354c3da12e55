//! A table that makes each call only when the test lets it: so a test chooses the order in which workers and requests
//! get on, kills any of them between any two calls, and learns what each has read and written.
//!
//! Only what runs within [`gated`] waits; so several can share one store, as the requests of one process do, and each still
//! has its turns apart.
//!
//! Calls within [`gated`] conflict by the rules of [`Holds`]; calls outside conflict with nothing. A transaction holds its items
//! from its request, while it waits at the gate, until it is made, lost, or given up by its caller.

use imageshare::table::{
    Answer, AttributeValue, BatchRead, Failure, Found, Key, Page, Query, Table, Token, Write, Written,
};
use tokio::sync::{mpsc, oneshot};
use tokio::task_local;
use tokio::time::sleep;

use crate::conflicting_table::{CONFLICT_TIME, Holds, is_conflict};

/// What becomes of a call that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is made.
    Made,
    /// It is made, and its answer is lost.
    AnswerLost,
    /// It is lost, and not made.
    Lost,
}

/// What somebody does at the table.
#[derive(Debug)]
pub enum Step {
    /// A call waits to be let through.
    Waits {
        /// Lets it through.
        go: oneshot::Sender<Verdict>,
        /// What it writes, if anything.
        writes: Vec<Write>,
    },
    /// Something was read; of the index, that list.
    HasRead(Option<String>),
    /// These writes were made.
    HasWritten(Vec<Write>),
    /// These writes were not made, since a condition did not hold.
    IsRefused(Vec<Write>),
    /// A transaction was cancelled at its request, without a wait: another one holds one of its items.
    IsCancelled,
    /// A plain write that was let through was rejected: a transaction holds its item.
    IsRejected,
    /// A call that was let through was lost.
    IsLost,
}

task_local! {
    static STEPS: mpsc::UnboundedSender<Step>;
}

/// Does some work whose calls to a gated table wait until they are let through, and tells its steps.
pub fn gated<F: Future>(work: F) -> (impl Future<Output = F::Output>, mpsc::UnboundedReceiver<Step>) {
    let (steps, told) = mpsc::unbounded_channel();
    (STEPS.scope(steps, work), told)
}

fn tell(step: Step) {
    // Outside of gated work nobody listens, and a test that does not listen any more has failed already.
    let _ = STEPS.try_with(|steps| drop(steps.send(step)));
}

/// Whether this runs within [`gated`].
fn is_gated() -> bool {
    STEPS.try_with(|_| ()).is_ok()
}

/// A table with a gate before it.
#[derive(Debug, Clone)]
pub struct GatedTable<T> {
    table: T,
    holds: Holds,
}

impl<T: Table> GatedTable<T> {
    /// A gate before that table. Gates before one table must share the holds.
    pub fn new(table: T, holds: Holds) -> Self {
        Self { table, holds }
    }

    /// Makes a transaction.
    async fn transact(&self, writes: &[Write], token: Token) -> Result<Written, Failure> {
        let call = self.table.transact_write_items(writes, token);
        if !is_gated() {
            return call.await;
        }
        let (_guard, outcome) = self.holds.take(writes);
        if let Err(conflict) = outcome {
            tell(Step::IsCancelled);
            sleep(CONFLICT_TIME).await;
            return Err(conflict);
        }
        self.pass(call, writes, || Step::HasWritten(writes.to_vec())).await
    }

    /// Makes a plain write.
    async fn write(&self, write: &Write) -> Result<Written, Failure> {
        let call = self.table.write_item(write);
        if !is_gated() {
            return call.await;
        }
        let unless_held = Box::pin(async move {
            self.holds.check(write)?;
            call.await
        });
        let writes = std::slice::from_ref(write);
        self.pass(unless_held, writes, || Step::HasWritten(writes.to_vec())).await
    }

    async fn pass<A>(
        &self,
        call: Answer<'_, A>,
        writes: &[Write],
        step: impl FnOnce() -> Step,
    ) -> Result<A, Failure> {
        if !is_gated() {
            return call.await;
        }
        let lost = || Err(Failure::Closed("as the test wants it".to_owned()));
        let (go, let_through) = oneshot::channel();
        tell(Step::Waits { go, writes: writes.to_vec() });
        let verdict = let_through.await.unwrap_or(Verdict::Lost);
        if verdict == Verdict::Lost {
            tell(Step::IsLost);
            return lost();
        }
        let answer = call.await;
        tell(match &answer {
            Ok(_) => step(),
            Err(failure) if is_conflict(failure) => Step::IsRejected,
            Err(Failure::Canceled(_)) => Step::IsRefused(writes.to_vec()),
            Err(_) => Step::IsLost,
        });
        if verdict == Verdict::AnswerLost { lost() } else { answer }
    }
}

/// The partition of the index that a query reads.
fn list_of(query: &Query) -> Option<String> {
    let (_, list) = query.values.iter().find(|(name, _)| *name == ":list")?;
    if let AttributeValue::S(list) = list { Some(list.clone()) } else { None }
}

impl<T: Table> Table for GatedTable<T> {
    fn get_item<'a>(&'a self, key: &'a Key) -> Answer<'a, Found> {
        Box::pin(self.pass(self.table.get_item(key), &[], || Step::HasRead(None)))
    }

    fn batch_get_item<'a>(&'a self, read: &'a BatchRead) -> Answer<'a, Found> {
        Box::pin(self.pass(self.table.batch_get_item(read), &[], || Step::HasRead(None)))
    }

    fn query<'a>(&'a self, query: &'a Query) -> Answer<'a, Page> {
        Box::pin(self.pass(self.table.query(query), &[], || Step::HasRead(list_of(query))))
    }

    fn write_item<'a>(&'a self, write: &'a Write) -> Answer<'a, Written> {
        Box::pin(self.write(write))
    }

    fn transact_write_items<'a>(&'a self, writes: &'a [Write], token: Token) -> Answer<'a, Written> {
        Box::pin(self.transact(writes, token))
    }
}
