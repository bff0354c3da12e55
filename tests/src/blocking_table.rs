//! The embedded table for tests on tokio's paused clock.
//!
//! A paused clock advances whenever all tasks wait, even for another thread: a call to a [`TableLane`] would take as
//! much virtual time as remains until the next timer. Here a call blocks its thread until the database has responded,
//! and takes no virtual time.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use imageshare::table::{
    BatchRead, Key, Page, Query, ReadOutput, Table, TableError, TableFuture, TransactionToken, Write,
    WriteOutput,
};
use imageshare_local::table::TableLane;
use tokio::task::unconstrained;

/// An embedded table whose calls block. Cheap to clone.
#[derive(Debug, Clone)]
pub struct BlockingTable(TableLane);

impl BlockingTable {
    /// Wraps the table of a lane.
    pub fn new(table: TableLane) -> Self {
        Self(table)
    }
}

impl Table for BlockingTable {
    fn get_item<'a>(&'a self, key: &'a Key) -> TableFuture<'a, ReadOutput> {
        Box::pin(async move { block_on(self.0.get_item(key)) })
    }

    fn batch_get_item<'a>(&'a self, read: &'a BatchRead) -> TableFuture<'a, ReadOutput> {
        Box::pin(async move { block_on(self.0.batch_get_item(read)) })
    }

    fn query<'a>(&'a self, query: &'a Query) -> TableFuture<'a, Page> {
        Box::pin(async move { block_on(self.0.query(query)) })
    }

    fn write_item<'a>(&'a self, write: &'a Write) -> TableFuture<'a, WriteOutput> {
        Box::pin(async move { block_on(self.0.write_item(write)) })
    }

    fn transact_write_items<'a>(
        &'a self,
        writes: &'a [Write],
        token: TransactionToken,
    ) -> TableFuture<'a, WriteOutput> {
        Box::pin(async move { block_on(self.0.transact_write_items(writes, token)) })
    }
}

struct ThreadWaker(Thread);

impl Wake for ThreadWaker {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Blocks until another thread has responded. Runs outside the task's cooperative budget, since a task without budget
/// would be polled forever.
fn block_on<T>(response: TableFuture<'_, T>) -> Result<T, TableError> {
    let waker = Waker::from(Arc::new(ThreadWaker(thread::current())));
    let mut response = Box::pin(unconstrained(response));
    loop {
        match response.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(response) => return response,
            Poll::Pending => thread::park(),
        }
    }
}
