//! Counts the table's round trips and capacity units for a request, as DynamoDB reports them: they are logged for every
//! request, and a test holds each API call to its budget. Also keeps whether the request may have changed something,
//! which an error has to say.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Whether a request may have changed something. Clones share the flag.
#[derive(Debug, Clone, Default)]
pub(super) struct DirtyFlag(Arc<AtomicBool>);

impl DirtyFlag {
    /// Records that a write was made, or may have been.
    pub(super) fn mark(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of one request. Clones share them. Capacity is counted in half units, since DynamoDB charges halves.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    round_trips: AtomicU64,
    read_half_units: AtomicU64,
    write_half_units: AtomicU64,
}

/// The use of the table by one request.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Usage {
    /// Calls to the table, retries included.
    pub round_trips: u64,
    /// Read capacity units.
    pub read_units: f64,
    /// Write capacity units, including those of the indexes.
    pub write_units: f64,
}

/// The capacity that a call uses.
#[derive(Debug, Clone, Copy)]
pub(super) enum Capacity {
    Read,
    Write,
}

impl Meter {
    pub(super) fn count(&self, capacity: Capacity, units: f64) {
        let counter = match capacity {
            Capacity::Read => &self.0.read_half_units,
            Capacity::Write => &self.0.write_half_units,
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "capacity comes in halves of a unit"
        )]
        counter.fetch_add((units * 2.0).round() as u64, Ordering::Relaxed);
    }

    pub(super) fn count_round_trip(&self) {
        self.0.round_trips.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn usage(&self) -> Usage {
        #[expect(clippy::cast_precision_loss, reason = "exact below 2^53 half units")]
        let units = |half_units: &AtomicU64| half_units.load(Ordering::Relaxed) as f64 / 2.0;
        Usage {
            round_trips: self.0.round_trips.load(Ordering::Relaxed),
            read_units: units(&self.0.read_half_units),
            write_units: units(&self.0.write_half_units),
        }
    }
}
