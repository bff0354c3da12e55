//! A table that makes each call only when the test lets it: so a test chooses the order in which workers and requests
//! get on, kills any of them between any two calls, and learns what each has read and written.

use std::fmt;

use imageshare::table::{Answer, BatchRead, Failure, Found, Key, Page, Query, Table, Token, Write, Written};
use imageshare_local::table::TableLane;
use tokio::sync::{mpsc, oneshot};

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
    Waits(oneshot::Sender<Verdict>),
    /// Something was read.
    HasRead,
    /// These writes were made.
    HasWritten(Vec<Write>),
    /// A write was not made, since its condition did not hold.
    IsRefused,
}

/// The table as one worker or one request sees it.
pub struct GatedTable {
    table: TableLane,
    steps: mpsc::UnboundedSender<Step>,
}

impl fmt::Debug for GatedTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatedTable").finish_non_exhaustive()
    }
}

impl GatedTable {
    /// A way to the table that tells its steps.
    pub fn new(table: TableLane) -> (Self, mpsc::UnboundedReceiver<Step>) {
        let (steps, told) = mpsc::unbounded_channel();
        (Self { table, steps }, told)
    }

    fn tell(&self, step: Step) {
        // A test that does not listen any more has failed already.
        let _ = self.steps.send(step);
    }

    async fn pass<T>(&self, call: Answer<'_, T>, step: impl FnOnce() -> Step) -> Result<T, Failure> {
        let lost = || Err(Failure::Closed("as the test wants it".to_owned()));
        let (go, let_through) = oneshot::channel();
        self.tell(Step::Waits(go));
        let verdict = let_through.await.unwrap_or(Verdict::Lost);
        if verdict == Verdict::Lost {
            return lost();
        }
        let answer = call.await.inspect_err(|failure| {
            if matches!(failure, Failure::Canceled(_)) {
                self.tell(Step::IsRefused);
            }
        })?;
        self.tell(step());
        if verdict == Verdict::AnswerLost { lost() } else { Ok(answer) }
    }
}

impl Table for GatedTable {
    fn get_item<'a>(&'a self, key: &'a Key) -> Answer<'a, Found> {
        Box::pin(self.pass(self.table.get_item(key), || Step::HasRead))
    }

    fn batch_get_item<'a>(&'a self, read: &'a BatchRead) -> Answer<'a, Found> {
        Box::pin(self.pass(self.table.batch_get_item(read), || Step::HasRead))
    }

    fn query<'a>(&'a self, query: &'a Query) -> Answer<'a, Page> {
        Box::pin(self.pass(self.table.query(query), || Step::HasRead))
    }

    fn write_item<'a>(&'a self, write: &'a Write) -> Answer<'a, Written> {
        Box::pin(self.pass(self.table.write_item(write), || Step::HasWritten(vec![write.clone()])))
    }

    fn transact_write_items<'a>(&'a self, writes: &'a [Write], token: Token) -> Answer<'a, Written> {
        Box::pin(
            self.pass(self.table.transact_write_items(writes, token), || Step::HasWritten(writes.to_vec())),
        )
    }
}
