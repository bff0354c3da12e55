//! The embedded table with DynamoDB's prices, where a write costs twice as much in a transaction: the store then writes
//! as it does on AWS.

use imageshare::table::{
    BatchRead, Key, Page, Query, ReadOutput, Table, TableFuture, TransactionToken, Write, WriteOutput,
};
use imageshare_local::table::TableLane;

/// An embedded table that charges for transactions.
#[derive(Debug, Clone)]
pub struct PricedTable(TableLane);

impl PricedTable {
    /// Wraps the table of a lane.
    pub fn new(table: TableLane) -> Self {
        Self(table)
    }
}

impl Table for PricedTable {
    fn charges_for_transactions(&self) -> bool {
        true
    }

    fn get_item<'a>(&'a self, key: &'a Key) -> TableFuture<'a, ReadOutput> {
        self.0.get_item(key)
    }

    fn batch_get_item<'a>(&'a self, read: &'a BatchRead) -> TableFuture<'a, ReadOutput> {
        self.0.batch_get_item(read)
    }

    fn query<'a>(&'a self, query: &'a Query) -> TableFuture<'a, Page> {
        self.0.query(query)
    }

    fn write_item<'a>(&'a self, write: &'a Write) -> TableFuture<'a, WriteOutput> {
        self.0.write_item(write)
    }

    fn transact_write_items<'a>(
        &'a self,
        writes: &'a [Write],
        token: TransactionToken,
    ) -> TableFuture<'a, WriteOutput> {
        self.0.transact_write_items(writes, token)
    }
}
