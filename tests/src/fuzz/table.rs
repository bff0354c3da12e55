//! Tables that never change, so that an input's result does not depend on earlier inputs.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use imageshare::table::{
    Action, BatchRead, Key, Page, Query, ReadOutput, Table, TableError, TableFuture, TransactionToken, Write,
    WriteOutput,
};
use imageshare_local::table::TableLane;

use crate::delegate_to_table;

/// A table that executes reads, and acknowledges and discards writes. An update is executed for its return value,
/// then undone.
#[derive(Debug, Clone)]
pub struct DiscardingTable {
    table: TableLane,
    write_count: Arc<AtomicU64>,
}

impl DiscardingTable {
    /// Wraps a table in its present state.
    pub fn new(table: TableLane) -> Self {
        Self { table, write_count: Arc::default() }
    }

    /// The number of writes acknowledged so far.
    pub fn write_count(&self) -> u64 {
        self.write_count.load(Ordering::Relaxed)
    }

    async fn write_and_revert(&self, key: &Key, update: &Write) -> Result<WriteOutput, TableError> {
        let before = self.table.get_item(key).await?.items.pop();
        let written = self.table.write_item(update).await?;
        self.write_count.fetch_add(1, Ordering::Relaxed);
        self.table.write_item(&before.map_or_else(|| Write::delete(key.clone()), Write::put)).await?;
        Ok(written)
    }

    fn discard_write(&self) -> TableFuture<'_, WriteOutput> {
        self.write_count.fetch_add(1, Ordering::Relaxed);
        Box::pin(ready(Ok(WriteOutput::default())))
    }
}

impl Table for DiscardingTable {
    delegate_to_table!(get_item, batch_get_item, query);

    fn write_item<'a>(&'a self, write: &'a Write) -> TableFuture<'a, WriteOutput> {
        match &write.action {
            Action::Update(key, _) => Box::pin(self.write_and_revert(key, write)),
            _ => self.discard_write(),
        }
    }

    fn transact_write_items<'a>(
        &'a self,
        _: &'a [Write],
        _: TransactionToken,
    ) -> TableFuture<'a, WriteOutput> {
        self.discard_write()
    }
}

/// A table that never responds.
#[derive(Debug)]
pub struct UnavailableTable;

fn unavailable<'a, T: Send + 'a>() -> TableFuture<'a, T> {
    Box::pin(ready(Err(TableError::Closed("a test".to_owned()))))
}

impl Table for UnavailableTable {
    fn get_item<'a>(&'a self, _: &'a Key) -> TableFuture<'a, ReadOutput> {
        unavailable()
    }

    fn batch_get_item<'a>(&'a self, _: &'a BatchRead) -> TableFuture<'a, ReadOutput> {
        unavailable()
    }

    fn query<'a>(&'a self, _: &'a Query) -> TableFuture<'a, Page> {
        unavailable()
    }

    fn write_item<'a>(&'a self, _: &'a Write) -> TableFuture<'a, WriteOutput> {
        unavailable()
    }

    fn transact_write_items<'a>(
        &'a self,
        _: &'a [Write],
        _: TransactionToken,
    ) -> TableFuture<'a, WriteOutput> {
        unavailable()
    }
}
