//! Counts what is asked of the table, by the lane that it is asked through.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use imageshare::domain::TenantId;
use imageshare::table::{Answer, BatchRead, Failure, Found, Key, Page, Query, Table, Token, Write, Written};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::LaneLabel;
use crate::table::Lane;

type Units = Counter<f64, AtomicU64>;

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

    pub(super) fn counted(&self, table: impl Table + 'static, lane: Lane) -> CountedTable {
        let label = LaneLabel {
            lane: match lane {
                Lane::Request => "request",
                Lane::Worker => "worker",
                Lane::Cleanup => "cleanup",
            },
        };
        let counts = LaneCounters {
            round_trips: self.round_trips.get_or_create_owned(&label),
            read_units: self.read_units.get_or_create_owned(&label),
            write_units: self.write_units.get_or_create_owned(&label),
        };
        CountedTable { table: Arc::new(table), counts }
    }
}

/// The counters of one lane.
#[derive(Debug, Clone)]
struct LaneCounters {
    round_trips: Counter,
    read_units: Units,
    write_units: Units,
}

/// A table of which each call is counted.
#[derive(Clone)]
pub struct CountedTable {
    table: Arc<dyn Table>,
    counts: LaneCounters,
}

impl fmt::Debug for CountedTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table.fmt(f)
    }
}

impl CountedTable {
    /// Makes a call, and counts it and the units that it took.
    fn count<'a, T: Send + 'a>(
        &'a self,
        call: Answer<'a, T>,
        counter: &'a Units,
        units: impl FnOnce(&T) -> f64 + Send + 'a,
    ) -> Answer<'a, T> {
        self.counts.round_trips.inc();
        Box::pin(async move {
            let answer: Result<T, Failure> = call.await;
            if let Ok(answer) = &answer {
                counter.inc_by(units(answer));
            }
            answer
        })
    }
}

impl Table for CountedTable {
    fn get_item<'a>(&'a self, key: &'a Key) -> Answer<'a, Found> {
        self.count(self.table.get_item(key), &self.counts.read_units, |found| found.units)
    }

    fn batch_get_item<'a>(&'a self, read: &'a BatchRead) -> Answer<'a, Found> {
        self.count(self.table.batch_get_item(read), &self.counts.read_units, |found| found.units)
    }

    fn query<'a>(&'a self, query: &'a Query) -> Answer<'a, Page> {
        self.count(self.table.query(query), &self.counts.read_units, |page| page.units)
    }

    fn write_item<'a>(&'a self, write: &'a Write) -> Answer<'a, Written> {
        self.count(self.table.write_item(write), &self.counts.write_units, |written| written.units)
    }

    fn transact_write_items<'a>(&'a self, writes: &'a [Write], token: Token) -> Answer<'a, Written> {
        let call = self.table.transact_write_items(writes, token);
        self.count(call, &self.counts.write_units, |written| written.units)
    }

    fn on_behalf_of(&self, tenant: &TenantId) -> Option<Arc<dyn Table>> {
        let table = self.table.on_behalf_of(tenant)?;
        Some(Arc::new(Self { table, counts: self.counts.clone() }))
    }
}
