//! A process of a function: its clock and its caches.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use imageshare::App;
use imageshare::domain::{Clock, MAX_FUNCTION_SKEW, Timestamp};
use imageshare::store::Store;
use imageshare_tests::blocking_table::BlockingTable;
use imageshare_tests::conflicting_table::ItemLocks;
use imageshare_tests::gated_table::GatedTable;
use imageshare_tests::local_service::LocalService;
use tokio::time::Instant;

use crate::history::PROCESSES;
use crate::inbox::InboxCounts;

/// A process that handles requests and work items, several at once.
pub struct Process {
    pub service: App,
    /// Its inbox counts.
    pub counts: InboxCounts,
    clock_offset_ms: Arc<AtomicI64>,
}

impl Process {
    /// Creates processes over a table, with these clock skews in milliseconds.
    pub fn start_all(local: &LocalService, ahead: [i64; PROCESSES]) -> Vec<Self> {
        let (start, begun) = (Timestamp::now().unix_millis(), Instant::now());
        let holds = ItemLocks::default();
        let process = |ahead| {
            let ahead = Arc::new(AtomicI64::new(ahead));
            let source = Arc::clone(&ahead);
            let clock = move || {
                let elapsed = i64::try_from(begun.elapsed().as_millis()).expect("hours at the most");
                Timestamp::from_unix_millis(start + elapsed + source.load(Ordering::Relaxed))
            };
            let table = GatedTable::new(BlockingTable::new(local.table.clone()), holds.clone());
            let store = Store::new(table, Clock::new(clock, MAX_FUNCTION_SKEW));
            let service = App { store, ..local.service.clone() };
            Self { service, counts: InboxCounts::default(), clock_offset_ms: ahead }
        };
        ahead.into_iter().map(process).collect()
    }

    /// Sets the clock skew, in milliseconds.
    pub fn set_clock(&self, ahead: i64) {
        self.clock_offset_ms.store(ahead, Ordering::Relaxed);
    }
}
