//! The embedded table with DynamoDB's prices, where a write costs twice as much in a transaction: the store then writes
//! as it does on AWS.

use imageshare::table::Table;
use imageshare_local::table::TableLane;

use crate::delegate_to_table;

/// An embedded table that charges for transactions.
#[derive(Debug, Clone)]
pub struct PricedTable {
    table: TableLane,
}

impl PricedTable {
    /// Wraps the table of a lane.
    pub fn new(table: TableLane) -> Self {
        Self { table }
    }
}

impl Table for PricedTable {
    delegate_to_table!(get_item, batch_get_item, query, write_item, transact_write_items);

    fn charges_for_transactions(&self) -> bool {
        true
    }
}
