//! What was tried, for whoever reads the test's output.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts.
#[derive(Debug, Default)]
pub struct Count {
    histories: AtomicUsize,
    requests: AtomicUsize,
    refused: AtomicUsize,
    deliveries: AtomicUsize,
    steps: AtomicUsize,
    met: AtomicUsize,
    deaths: AtomicUsize,
}

impl Count {
    pub fn history(&self) {
        self.histories.fetch_add(1, Ordering::Relaxed);
    }

    pub fn began(&self, is_request: bool) {
        let counter = if is_request { &self.requests } else { &self.deliveries };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub fn stepped(&self) {
        self.steps.fetch_add(1, Ordering::Relaxed);
    }

    /// A write was not made, since somebody else had written in between.
    pub fn met(&self) {
        self.met.fetch_add(1, Ordering::Relaxed);
    }

    pub fn died(&self) {
        self.deaths.fetch_add(1, Ordering::Relaxed);
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [histories, requests, refused, deliveries, steps, met, deaths] = [
            &self.histories,
            &self.requests,
            &self.refused,
            &self.deliveries,
            &self.steps,
            &self.met,
            &self.deaths,
        ]
        .map(|counter| counter.load(Ordering::Relaxed));
        write!(
            f,
            "{histories} histories: {requests} requests, {refused} of them refused; {deliveries} deliveries of pieces, \
             {steps} steps; {met} writes that came too late; {deaths} requests and workers cut off between two calls"
        )
    }
}
