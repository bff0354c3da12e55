//! Reports the progress of an import, at most once a second.

use std::time::{Duration, Instant};

const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// The progress of an import.
pub(super) struct Progress {
    total: usize,
    last_report: Instant,
}

impl Progress {
    /// Starts with a number of tenants to write.
    pub(super) fn start(total: usize, now: Instant) -> Self {
        Self { total, last_report: now }
    }

    /// Returns the line to print after `done` tenants; `None` within a second of the last line, and at the end.
    pub(super) fn report(&mut self, done: usize, now: Instant) -> Option<String> {
        if done == self.total || now.duration_since(self.last_report) < REPORT_INTERVAL {
            return None;
        }
        self.last_report = now;
        Some(format!("{done} of {} tenants written", self.total))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_reported_at_most_once_per_second() {
        let begin = Instant::now();
        let after = |millis| begin + Duration::from_millis(millis);
        let mut progress = Progress::start(1000, begin);
        assert_eq!(progress.report(1, after(999)), None);
        assert_eq!(progress.report(2, after(1000)).as_deref(), Some("2 of 1000 tenants written"));
        assert_eq!(progress.report(3, after(1999)), None);
        assert_eq!(progress.report(900, after(5000)).as_deref(), Some("900 of 1000 tenants written"));
        assert_eq!(progress.report(1000, after(9000)), None);
    }
}
