//! Counts calls to the table and the capacity units that they use, by lane.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use imageshare::domain::TenantId;
use imageshare::table::{
    BatchRead, Key, Page, Query, ReadOutput, Table, TableError, TableFuture, TransactionToken, Write,
    WriteOutput,
};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::table::Lane;

type Units = Counter<f64, AtomicU64>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LaneLabel {
    lane: &'static str,
}

/// The counters of all lanes.
#[derive(Debug, Default)]
pub(super) struct TableCounters {
    round_trips: Family<LaneLabel, Counter>,
    read_units: Family<LaneLabel, Units>,
    write_units: Family<LaneLabel, Units>,
}

impl TableCounters {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let counters = Self::default();
        let Self { round_trips, read_units, write_units } = &counters;
        registry.register("table_round_trips", "Calls to the table", Family::clone(round_trips));
        registry.register("table_read_units", "Read capacity units", Family::clone(read_units));
        registry.register("table_write_units", "Write capacity units", Family::clone(write_units));
        counters
    }

    pub(super) fn counted_table(&self, table: Arc<dyn Table>, lane: Lane) -> CountedTable {
        let label = LaneLabel {
            lane: match lane {
                Lane::Request => "request",
                Lane::Worker => "worker",
                Lane::Cleanup => "cleanup",
            },
        };
        let counters = LaneCounters {
            round_trips: self.round_trips.get_or_create_owned(&label),
            read_units: self.read_units.get_or_create_owned(&label),
            write_units: self.write_units.get_or_create_owned(&label),
        };
        CountedTable { table, counters }
    }
}

/// The counters of one lane.
#[derive(Debug, Clone)]
struct LaneCounters {
    round_trips: Counter,
    read_units: Units,
    write_units: Units,
}

/// A table whose calls are counted.
#[derive(Clone)]
pub struct CountedTable {
    table: Arc<dyn Table>,
    counters: LaneCounters,
}

impl fmt::Debug for CountedTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table.fmt(f)
    }
}

impl CountedTable {
    /// Makes a call, and counts it with the units that it used.
    fn count<'a, T: Send + 'a>(
        &'a self,
        call: TableFuture<'a, T>,
        counter: &'a Units,
        units: impl FnOnce(&T) -> f64 + Send + 'a,
    ) -> TableFuture<'a, T> {
        self.counters.round_trips.inc();
        Box::pin(async move {
            let result: Result<T, TableError> = call.await;
            if let Ok(output) = &result {
                counter.inc_by(units(output));
            }
            result
        })
    }
}

impl Table for CountedTable {
    fn charges_for_transactions(&self) -> bool {
        self.table.charges_for_transactions()
    }

    fn get_item<'a>(&'a self, key: &'a Key) -> TableFuture<'a, ReadOutput> {
        self.count(self.table.get_item(key), &self.counters.read_units, |found| found.units)
    }

    fn batch_get_item<'a>(&'a self, read: &'a BatchRead) -> TableFuture<'a, ReadOutput> {
        self.count(self.table.batch_get_item(read), &self.counters.read_units, |found| found.units)
    }

    fn query<'a>(&'a self, query: &'a Query) -> TableFuture<'a, Page> {
        self.count(self.table.query(query), &self.counters.read_units, |page| page.units)
    }

    fn write_item<'a>(&'a self, write: &'a Write) -> TableFuture<'a, WriteOutput> {
        self.count(self.table.write_item(write), &self.counters.write_units, |written| written.units)
    }

    fn transact_write_items<'a>(
        &'a self,
        writes: &'a [Write],
        token: TransactionToken,
    ) -> TableFuture<'a, WriteOutput> {
        let call = self.table.transact_write_items(writes, token);
        self.count(call, &self.counters.write_units, |written| written.units)
    }

    fn for_tenant(&self, tenant: &TenantId) -> Option<Arc<dyn Table>> {
        let table = self.table.for_tenant(tenant)?;
        Some(Arc::new(Self { table, counters: self.counters.clone() }))
    }
}
