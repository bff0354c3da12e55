//! A function process: its clock, and its memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use imageshare::Service;
use imageshare::domain::{Clock, FUNCTION_SKEW, Timestamp};
use imageshare::store::Store;
use imageshare_tests::conflicting_table::Holds;
use imageshare_tests::direct_table::DirectTable;
use imageshare_tests::gated_table::GatedTable;
use imageshare_tests::service::LocalService;
use tokio::time::Instant;

use crate::history::PROCESSES;
use crate::inbox::Counts;

/// A process that handles requests and pieces, several at once.
pub struct Process {
    pub service: Service,
    /// What it knows of inboxes.
    pub counts: Counts,
    ahead: Arc<AtomicI64>,
}

impl Process {
    /// Processes over that table whose clocks are ahead by so many milliseconds.
    pub fn several(local: &LocalService, ahead: [i64; PROCESSES]) -> Vec<Self> {
        let (start, begun) = (Timestamp::now().unix_millis(), Instant::now());
        let holds = Holds::default();
        let process = |ahead| {
            let ahead = Arc::new(AtomicI64::new(ahead));
            let source = Arc::clone(&ahead);
            let clock = move || {
                let elapsed = i64::try_from(begun.elapsed().as_millis()).expect("hours at the most");
                Timestamp::from_unix_millis(start + elapsed + source.load(Ordering::Relaxed))
            };
            let table = GatedTable::new(DirectTable::new(local.table.clone()), holds.clone());
            let store = Store::new(table, Clock::new(clock, FUNCTION_SKEW));
            let service = Service { store, ..local.service.clone() };
            Self { service, counts: Counts::default(), ahead }
        };
        ahead.into_iter().map(process).collect()
    }

    /// Sets the clock: it is ahead by so many milliseconds from now on.
    pub fn set_clock(&self, ahead: i64) {
        self.ahead.store(ahead, Ordering::Relaxed);
    }
}
