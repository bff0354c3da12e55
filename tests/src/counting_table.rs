//! A table that counts calls and read units. Used beneath functions, which only report their own requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use imageshare::store::Usage;
use imageshare::table::{
    BatchRead, Key, Page, Query, ReadOutput, Table, TableFuture, TransactionToken, Write, WriteOutput,
};

/// Counters of calls and of half read units.
#[derive(Debug, Clone, Default)]
pub struct CallCounter(Arc<[AtomicU64; 2]>);

impl CallCounter {
    /// The number of calls and of read units.
    pub fn calls_and_read_units(&self) -> (u64, u64) {
        let [calls, half_units] = self.0.as_ref();
        (calls.load(Ordering::Relaxed), half_units.load(Ordering::Relaxed).div_ceil(2))
    }

    /// What was read since the start. Writes count as calls only.
    pub fn usage(&self) -> Usage {
        let [calls, half_units] = self.0.as_ref();
        #[expect(clippy::cast_precision_loss, reason = "exact below 2^53 half units")]
        let read_units = half_units.load(Ordering::Relaxed) as f64 / 2.0;
        Usage { round_trips: calls.load(Ordering::Relaxed), read_units, write_units: 0.0 }
    }

    fn record_call(&self, units: f64) {
        let [calls, half_units] = self.0.as_ref();
        calls.fetch_add(1, Ordering::Relaxed);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "capacity comes in halves of a unit"
        )]
        half_units.fetch_add((units * 2.0).round() as u64, Ordering::Relaxed);
    }
}

/// A table that counts its calls.
#[derive(Debug)]
pub struct CountingTable {
    table: Arc<dyn Table>,
    counter: CallCounter,
}

impl CountingTable {
    /// Wraps a table. Returns its counters, too.
    pub fn new(table: impl Table + 'static) -> (Self, CallCounter) {
        let calls = CallCounter::default();
        (Self { table: Arc::new(table), counter: calls.clone() }, calls)
    }
}

impl Table for CountingTable {
    fn get_item<'a>(&'a self, key: &'a Key) -> TableFuture<'a, ReadOutput> {
        Box::pin(async {
            self.table.get_item(key).await.inspect(|found| self.counter.record_call(found.units))
        })
    }

    fn batch_get_item<'a>(&'a self, read: &'a BatchRead) -> TableFuture<'a, ReadOutput> {
        Box::pin(async {
            self.table.batch_get_item(read).await.inspect(|found| self.counter.record_call(found.units))
        })
    }

    fn query<'a>(&'a self, query: &'a Query) -> TableFuture<'a, Page> {
        Box::pin(async { self.table.query(query).await.inspect(|page| self.counter.record_call(page.units)) })
    }

    fn write_item<'a>(&'a self, write: &'a Write) -> TableFuture<'a, WriteOutput> {
        Box::pin(async { self.table.write_item(write).await.inspect(|_| self.counter.record_call(0.0)) })
    }

    fn transact_write_items<'a>(
        &'a self,
        writes: &'a [Write],
        token: TransactionToken,
    ) -> TableFuture<'a, WriteOutput> {
        Box::pin(async move {
            self.table.transact_write_items(writes, token).await.inspect(|_| self.counter.record_call(0.0))
        })
    }
}
