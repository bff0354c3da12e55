//! A table that counts what it is asked, beneath functions, which count each request apart.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use imageshare::table::{Answer, BatchRead, Found, Key, Page, Query, Table, Token, Write, Written};
use imageshare_local::table::TableLane;

/// Calls, and half read units.
#[derive(Debug, Clone, Default)]
pub struct Calls(Arc<[AtomicU64; 2]>);

impl Calls {
    /// How many calls and read units there were.
    pub fn counted(&self) -> (u64, u64) {
        let [calls, half_units] = self.0.as_ref();
        (calls.load(Ordering::Relaxed), half_units.load(Ordering::Relaxed).div_ceil(2))
    }

    fn count(&self, units: f64) {
        let [calls, half_units] = self.0.as_ref();
        calls.fetch_add(1, Ordering::Relaxed);
        // Capacity comes in halves of a unit.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        half_units.fetch_add((units * 2.0).round() as u64, Ordering::Relaxed);
    }
}

/// The table.
#[derive(Debug)]
pub struct CountedTable {
    table: TableLane,
    calls: Calls,
}

impl CountedTable {
    /// That table, and its counters.
    pub fn new(table: TableLane) -> (Self, Calls) {
        let calls = Calls::default();
        (Self { table, calls: calls.clone() }, calls)
    }
}

impl Table for CountedTable {
    fn get_item<'a>(&'a self, key: &'a Key) -> Answer<'a, Found> {
        Box::pin(async { self.table.get_item(key).await.inspect(|found| self.calls.count(found.units)) })
    }

    fn batch_get_item<'a>(&'a self, read: &'a BatchRead) -> Answer<'a, Found> {
        Box::pin(async {
            self.table.batch_get_item(read).await.inspect(|found| self.calls.count(found.units))
        })
    }

    fn query<'a>(&'a self, query: &'a Query) -> Answer<'a, Page> {
        Box::pin(async { self.table.query(query).await.inspect(|page| self.calls.count(page.units)) })
    }

    fn write_item<'a>(&'a self, write: &'a Write) -> Answer<'a, Written> {
        Box::pin(async { self.table.write_item(write).await.inspect(|_| self.calls.count(0.0)) })
    }

    fn transact_write_items<'a>(&'a self, writes: &'a [Write], token: Token) -> Answer<'a, Written> {
        Box::pin(async move {
            self.table.transact_write_items(writes, token).await.inspect(|_| self.calls.count(0.0))
        })
    }
}
