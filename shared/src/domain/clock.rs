//! The clock of a process: it gives the moments that are written and the stamps that order requests.
//!
//! Order must not rest on the clocks of machines, which differ, jump, and are set back. So the clock is a logical one
//! (Kulkarni et al., "Logical Physical Clocks", 2014): it follows the machine's clock where that runs ahead of all that the
//! process has issued, and counts on from what a request has read where it does not. What a request has to be later than is read
//! from the table in the reads that it makes anyway:
//!
//! * A request that is carried out at once reads the memberships that it changes and the tenants of its pairs, and is
//!   stamped above them ([`Clock::stamp_after`]). Where that is ahead of the process's own clock ([`Clock::is_ahead`]) and
//!   the request is about several tenants, it leaves its stamp on its caller's item: who reads only one of the pairs would
//!   not find what the others were stamped above.
//! * A request that is queued leaves its stamp on its creator's item in the table, where every later request of that
//!   tenant, or about it, finds it. It does not read the memberships of its thousands of pairs, so it is stamped ahead by
//!   what the clocks of two processes may differ ([`Clock::stamp_ahead`]): later than whatever another process has done
//!   before.
//! * An answer to everything that waits for a tenant reads no membership either, and is to be above what was queued, too:
//!   it is stamped ahead by twice as much ([`Clock::stamp_ahead_of_queues`]). Where a request has to be stamped above such an
//!   answer of somebody else ([`Clock::is_far_ahead`]), it leaves its stamp on the items of all tenants of its pairs.
//!
//! Together: a request that was made after another one was answered is later than it, for every pair of requests on one
//! membership, whatever the clocks say; but for a queued request that comes after one which was carried out at once by a
//! process whose clock is ahead by more than [`Clock::skew`].

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::{Stamp, Timestamp};

/// How far the clocks of two functions may differ.
pub const MAX_FUNCTION_SKEW: Duration = Duration::from_secs(5);

type TimeSource = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A clock that never goes back. Clones share it.
#[derive(Clone)]
pub struct Clock {
    source: TimeSource,
    skew: Duration,
    state: Arc<Mutex<State>>,
}

struct State {
    /// The latest moment that was given or is known to have been, and when that was by the process's own time.
    floor: Timestamp,
    floor_set_at: Instant,
    /// The greatest stamp that was issued by the clock.
    last_stamp: Option<Stamp>,
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("skew", &self.skew).finish_non_exhaustive()
    }
}

impl Clock {
    /// The machine's clock, in one of several processes whose clocks differ by at most [`MAX_FUNCTION_SKEW`].
    pub fn for_function() -> Self {
        Self::new(Timestamp::now, MAX_FUNCTION_SKEW)
    }

    /// The machine's clock, in the only process that accepts requests.
    pub fn for_server() -> Self {
        Self::new(Timestamp::now, Duration::ZERO)
    }

    /// A clock that follows `source`, in one of several processes whose clocks differ by at most `skew`.
    pub fn new(source: impl Fn() -> Timestamp + Send + Sync + 'static, skew: Duration) -> Self {
        let state =
            State { floor: Timestamp::from_unix_millis(0), floor_set_at: Instant::now(), last_stamp: None };
        Self { source: Arc::new(source), skew, state: Arc::new(Mutex::new(state)) }
    }

    /// How far the clocks of two processes of this deployment may differ.
    pub fn skew(&self) -> Duration {
        self.skew
    }

    /// The present moment, never before one that was given earlier.
    pub fn now(&self) -> Timestamp {
        self.advance(&mut self.lock())
    }

    /// A stamp above all that this process has issued.
    pub fn stamp(&self) -> Stamp {
        self.stamp_after([])
    }

    /// The stamp of a request that is carried out at once: above those that it has read, and above all that this process has
    /// issued.
    pub fn stamp_after(&self, read: impl IntoIterator<Item = Stamp>) -> Stamp {
        self.issue(Duration::ZERO, read.into_iter().max())
    }

    /// The stamp of a request that is queued: above those that it has read and what was done after reading them, and above
    /// all that was carried out at once by whatever process.
    pub fn stamp_ahead(&self, read: impl IntoIterator<Item = Stamp>) -> Stamp {
        self.issue(self.skew, read.into_iter().max().map(next_millisecond))
    }

    /// The stamp of an answer to everything that waits: above all that was queued, too.
    pub fn stamp_ahead_of_queues(&self, read: impl IntoIterator<Item = Stamp>) -> Stamp {
        self.issue(self.skew * 2, read.into_iter().max().map(next_millisecond))
    }

    /// Whether a stamp that it has issued is ahead of it, so that another process may issue a smaller one later. Never where
    /// there is no other process.
    pub fn is_ahead(&self, stamp: Stamp) -> bool {
        !self.skew.is_zero() && stamp.time() > self.now()
    }

    /// Whether a stamp that it has issued is so far ahead that another process may stamp an answer to everything that waits
    /// below it later ([`Clock::stamp_ahead_of_queues`]). Only what was stamped above such an answer is. Never where there
    /// is no other process.
    pub fn is_far_ahead(&self, stamp: Stamp) -> bool {
        !self.skew.is_zero() && stamp.time() > self.now().plus(self.skew)
    }

    /// The greatest stamp that it has issued, but for those from ahead; `None` before the first.
    pub fn last_stamp(&self) -> Option<Stamp> {
        self.lock().last_stamp
    }

    /// Goes on from that moment: no earlier one is given from now on. Returns how far the machine's clock is behind it.
    pub fn resume(&self, moment: Timestamp) -> Duration {
        let mut state = self.lock();
        let behind = moment.unix_millis().saturating_sub(self.advance(&mut state).unix_millis());
        if behind > 0 {
            (state.floor, state.floor_set_at) = (moment, Instant::now());
        }
        Duration::from_millis(behind.max(0).unsigned_abs())
    }

    fn issue(&self, ahead: Duration, floor: Option<Stamp>) -> Stamp {
        let mut state = self.lock();
        let now = self.advance(&mut state).plus(ahead);
        let stamp = Stamp::at(now, floor.max(state.last_stamp));
        // Among several processes one that has read a stamp from ahead must not carry it into other requests: what is above
        // it is ordered by reading it.
        if self.skew.is_zero() || (ahead.is_zero() && stamp.time() <= now) {
            state.last_stamp = Some(stamp);
        }
        stamp
    }

    fn advance(&self, state: &mut State) -> Timestamp {
        let now = Instant::now();
        let elapsed = now.saturating_duration_since(state.floor_set_at);
        state.floor = state.floor.plus(elapsed).max((self.source)());
        // Fractions of a millisecond are kept for the next time.
        let fraction = Duration::from_nanos(u64::from(elapsed.subsec_nanos() % 1_000_000));
        state.floor_set_at = now.checked_sub(fraction).unwrap_or(now);
        state.floor
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held but a test's source of time.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first stamp of the next millisecond: requests that are carried out at once count on from what they have read by far
/// less.
fn next_millisecond(read: Stamp) -> Stamp {
    Stamp::first_of(read.time().plus(Duration::from_millis(1)))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use proptest::prelude::*;

    use super::*;

    fn settable_clock(skew: Duration) -> (Clock, Arc<AtomicI64>) {
        let millis = Arc::new(AtomicI64::new(1_000_000));
        let source = Arc::clone(&millis);
        (Clock::new(move || Timestamp::from_unix_millis(source.load(Ordering::SeqCst)), skew), millis)
    }

    proptest! {
        #[test]
        fn time_and_stamps_are_monotonic_when_clock_is_set(sets in prop::collection::vec(0_i64..2_000_000, 1..30)) {
            let (clock, millis) = settable_clock(Duration::ZERO);
            let (mut moment, mut stamp) = (clock.now(), clock.stamp());
            for set in sets {
                millis.store(set, Ordering::SeqCst);
                let (now, next) = (clock.now(), clock.stamp());
                prop_assert!(now >= moment && next > stamp && now.unix_millis() >= set);
                (moment, stamp) = (now, next);
            }
        }

        #[test]
        fn stamp_after_exceeds_stamps_read(millis in 0_i64..9_000_000_000_000, low in any::<u64>()) {
            let (clock, _) = settable_clock(Duration::ZERO);
            let read = Stamp::first_of(Timestamp::from_unix_millis(millis)).plus(low.into());
            let stamp = clock.stamp_after([read]);
            prop_assert!(stamp > read && clock.stamp() > stamp);
            prop_assert!(stamp.time().unix_millis() <= millis.max(1_000_000) + 1_000);
            prop_assert!(clock.stamp_ahead([read]).time() > read.time());
        }
    }

    #[test]
    fn queued_stamp_exceeds_stamps_of_faster_clock() {
        let (slow, millis) = settable_clock(MAX_FUNCTION_SKEW);
        let fast = settable_clock(MAX_FUNCTION_SKEW);
        fast.1.store(millis.load(Ordering::SeqCst) + 4_900, Ordering::SeqCst);
        let done_at_once = fast.0.stamp();
        let queued = slow.stamp_ahead([]);
        assert!(queued > done_at_once);
        let done_after_it = fast.0.stamp_after([queued]);
        assert!(slow.stamp_ahead([queued]) > done_after_it);
        assert!(slow.stamp() < queued, "the next request is ordered by what it reads");
        assert!(slow.stamp_after([queued]) > queued);
        assert!(slow.stamp_ahead_of_queues([]) > fast.0.stamp_ahead([]));
        assert!(!fast.0.is_far_ahead(fast.0.stamp_ahead([])));
        assert!(fast.0.is_far_ahead(fast.0.stamp_after([fast.0.stamp_ahead_of_queues([])])));
    }

    #[test]
    fn resumed_clock_continues_from_given_time() {
        let (clock, millis) = settable_clock(Duration::ZERO);
        let behind = clock.resume(Timestamp::from_unix_millis(1_060_000));
        assert_eq!(behind.as_secs(), 60 - u64::from(behind < Duration::from_mins(1)));
        assert!(clock.now().unix_millis() >= 1_060_000 && clock.stamp().time().unix_millis() >= 1_060_000);
        millis.store(2_000_000, Ordering::SeqCst);
        assert_eq!(clock.resume(Timestamp::from_unix_millis(1_500_000)), Duration::ZERO);
        assert!(clock.now().unix_millis() >= 2_000_000);
    }
}
