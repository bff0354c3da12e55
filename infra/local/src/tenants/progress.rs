//! How far a long task has come, told no more than once a second.

use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_secs(1);

/// How far it has come.
pub(super) struct Progress {
    total: usize,
    told: Instant,
}

impl Progress {
    /// A task of so many parts that begins now.
    pub(super) fn begin(total: usize, now: Instant) -> Self {
        Self { total, told: now }
    }

    /// What is to be told when so many are done, if it is time to tell it.
    pub(super) fn tell(&mut self, done: usize, now: Instant) -> Option<String> {
        if done == self.total || now.duration_since(self.told) < PAUSE {
            return None;
        }
        self.told = now;
        Some(format!("{done} of {} tenants written", self.total))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_once_a_second_and_not_when_all_is_done() {
        let begin = Instant::now();
        let after = |millis| begin + Duration::from_millis(millis);
        let mut progress = Progress::begin(1000, begin);
        assert_eq!(progress.tell(1, after(999)), None);
        assert_eq!(progress.tell(2, after(1000)).as_deref(), Some("2 of 1000 tenants written"));
        assert_eq!(progress.tell(3, after(1999)), None);
        assert_eq!(progress.tell(900, after(5000)).as_deref(), Some("900 of 1000 tenants written"));
        assert_eq!(progress.tell(1000, after(9000)), None);
    }
}
