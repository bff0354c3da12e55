//! Counts of what a run has covered, for the test's output.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use imageshare::domain::Outcome;

/// The counts.
#[derive(Debug, Default)]
pub struct Statistics {
    histories: AtomicUsize,
    requests: AtomicUsize,
    refused: AtomicUsize,
    deliveries: AtomicUsize,
    steps: AtomicUsize,
    condition_failures: AtomicUsize,
    cancelled: AtomicUsize,
    rejected: AtomicUsize,
    conflict_timeouts: AtomicUsize,
    crashes: AtomicUsize,
    immediate: AtomicUsize,
    pauses: AtomicUsize,
    in_progress: AtomicUsize,
    returned: AtomicUsize,
    events: AtomicUsize,
    rule_jobs: AtomicUsize,
    outcomes: Mutex<BTreeMap<String, usize>>,
}

impl Statistics {
    pub fn count_history(&self) {
        self.histories.fetch_add(1, Ordering::Relaxed);
    }

    pub fn count_start(&self, is_request: bool) {
        let counter = if is_request { &self.requests } else { &self.deliveries };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub fn count_refusal(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub fn count_step(&self) {
        self.steps.fetch_add(1, Ordering::Relaxed);
    }

    /// A write failed, since something had changed in between.
    pub fn count_condition_failure(&self) {
        self.condition_failures.fetch_add(1, Ordering::Relaxed);
    }

    /// A transaction was cancelled by a conflict.
    pub fn count_cancellation(&self) {
        self.cancelled.fetch_add(1, Ordering::Relaxed);
    }

    /// A plain write was rejected by a conflict.
    pub fn count_rejection(&self) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
    }

    /// A request or a worker ended after conflicts until its timeout.
    pub fn count_conflict_timeout(&self) {
        self.conflict_timeouts.fetch_add(1, Ordering::Relaxed);
    }

    /// The number of conflicts: cancelled transactions and rejected plain writes.
    pub fn conflicts(&self) -> [usize; 2] {
        [&self.cancelled, &self.rejected].map(|counter| counter.load(Ordering::Relaxed))
    }

    pub fn count_crash(&self) {
        self.crashes.fetch_add(1, Ordering::Relaxed);
    }

    /// A batch request was executed at once.
    pub fn count_immediate_batch(&self) {
        self.immediate.fetch_add(1, Ordering::Relaxed);
    }

    /// A decision was delayed by a pause.
    pub fn count_pause(&self) {
        self.pauses.fetch_add(1, Ordering::Relaxed);
    }

    /// A request was refused because an earlier one is in progress.
    pub fn count_in_progress(&self) {
        self.in_progress.fetch_add(1, Ordering::Relaxed);
    }

    /// A worker that was not killed has returned its work item.
    pub fn count_returned_work_item(&self) {
        self.returned.fetch_add(1, Ordering::Relaxed);
    }

    /// An event was published, perhaps not for the first time.
    pub fn count_event(&self) {
        self.events.fetch_add(1, Ordering::Relaxed);
    }

    /// A share rule has made a job.
    pub fn count_rule_job(&self) {
        self.rule_jobs.fetch_add(1, Ordering::Relaxed);
    }

    /// The outcomes of a step.
    pub fn count_outcomes(&self, outcomes: impl Iterator<Item = Outcome>) {
        let mut counts = self.outcomes.lock().expect("no panic");
        for outcome in outcomes {
            *counts.entry(format!("{outcome:?}")).or_default() += 1;
        }
    }
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [histories, requests, refused, deliveries, steps, condition_failures, crashes] = [
            &self.histories,
            &self.requests,
            &self.refused,
            &self.deliveries,
            &self.steps,
            &self.condition_failures,
            &self.crashes,
        ]
        .map(|counter| counter.load(Ordering::Relaxed));
        let [immediate, pauses, in_progress, returned, events, rule_jobs] =
            [&self.immediate, &self.pauses, &self.in_progress, &self.returned, &self.events, &self.rule_jobs]
                .map(|counter| counter.load(Ordering::Relaxed));
        let [cancelled, rejected] = self.conflicts();
        let conflict_timeouts = self.conflict_timeouts.load(Ordering::Relaxed);
        let outcomes = self.outcomes.lock().expect("no panic");
        write!(
            f,
            "{histories} histories: {requests} requests, {refused} of them refused; {deliveries} deliveries of work \
             items, {steps} steps; {condition_failures} writes whose condition failed; conflicts: {cancelled} transactions \
             cancelled and {rejected} plain writes rejected, {conflict_timeouts} requests and workers timed out \
             in them; {crashes} requests and workers killed between two calls; {immediate} batches executed at \
             once; {pauses} pauses for earlier requests, {in_progress} requests refused and \
             {returned} work items returned after them; {events} events; {rule_jobs} jobs of share rules; pairs by \
             outcome: {outcomes:?}"
        )
    }
}
