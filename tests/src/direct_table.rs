//! The embedded table for tests on tokio's paused clock.
//!
//! That clock advances as soon as every task waits, also for another thread: a call to a [`TableLane`] would take as much
//! virtual time as the next timer is away. Here a call blocks its thread until the database has answered, so it takes
//! no virtual time at all.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use imageshare::table::{Answer, BatchRead, Failure, Found, Key, Page, Query, Table, Token, Write, Written};
use imageshare_local::table::TableLane;
use tokio::task::unconstrained;

/// An embedded table whose calls block. Cheap to clone.
#[derive(Debug, Clone)]
pub struct DirectTable(TableLane);

impl DirectTable {
    /// The table behind that lane.
    pub fn new(table: TableLane) -> Self {
        Self(table)
    }
}

impl Table for DirectTable {
    fn get_item<'a>(&'a self, key: &'a Key) -> Answer<'a, Found> {
        Box::pin(async move { block_on(self.0.get_item(key)) })
    }

    fn batch_get_item<'a>(&'a self, read: &'a BatchRead) -> Answer<'a, Found> {
        Box::pin(async move { block_on(self.0.batch_get_item(read)) })
    }

    fn query<'a>(&'a self, query: &'a Query) -> Answer<'a, Page> {
        Box::pin(async move { block_on(self.0.query(query)) })
    }

    fn write_item<'a>(&'a self, write: &'a Write) -> Answer<'a, Written> {
        Box::pin(async move { block_on(self.0.write_item(write)) })
    }

    fn transact_write_items<'a>(&'a self, writes: &'a [Write], token: Token) -> Answer<'a, Written> {
        Box::pin(async move { block_on(self.0.transact_write_items(writes, token)) })
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for an answer that another thread gives. A task's budget does not count here: a task that has used it up would be
/// polled for ever.
fn block_on<T>(answer: Answer<'_, T>) -> Result<T, Failure> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut answer = Box::pin(unconstrained(answer));
    loop {
        match answer.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(answer) => return answer,
            Poll::Pending => thread::park(),
        }
    }
}
