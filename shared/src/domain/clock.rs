//! The clock of a process: the current time, and the stamps that order requests.
//!
//! The order of requests must not depend on the clocks of machines, which differ, jump, and are set back. So this
//! clock is a hybrid logical one (Kulkarni et al., "Logical Physical Clocks", 2014): it follows the machine's clock
//! while that is ahead of every stamp that the process has issued, and otherwise continues from the stamps that a
//! request has read. They are in items that the request reads anyway, so order costs no round trip:
//!
//! * A request that is executed at once reads the memberships that it changes and the tenants of its pairs, and its
//!   stamp is above theirs ([`Clock::stamp_after`]). If that stamp is ahead of the process's own clock
//!   ([`Clock::is_ahead`]) and the request concerns several tenants, it leaves the stamp on its caller's item: a later
//!   request that reads only one of the pairs would not see the stamps of the others.
//! * A queued request leaves its stamp on its creator's item, where every later request of that tenant, or about it,
//!   reads it. It does not read the memberships of its thousands of pairs, so its stamp is ahead by the most that the
//!   clocks of two processes may differ ([`Clock::stamp_ahead`]): above everything that another process has done
//!   before.
//! * A decision on all pending images of a tenant (*Accept All*) reads no membership either, and has to be above
//!   queued requests, too. So its stamp is ahead by twice as much ([`Clock::stamp_ahead_of_queues`]). A request whose
//!   stamp has to be above such a decision of another tenant ([`Clock::is_far_ahead`]) leaves it on the items of all
//!   tenants of its pairs.
//!
//! Together: of two requests on one membership, one that is made after the response to the other is the later one,
//! whatever the clocks say (`contract/decisions.md` 26). The exception is a queued request that follows one executed
//! at once by a process whose clock is ahead by more than [`Clock::skew`].

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::{Stamp, Timestamp};

/// The maximum difference between the clocks of two functions.
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
    /// The latest time that the clock has reached, and when that was by the process's monotonic clock.
    floor: Timestamp,
    floor_set_at: Instant,
    /// See [`Clock::last_stamp`].
    last_stamp: Option<Stamp>,
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("skew", &self.skew).finish_non_exhaustive()
    }
}

impl Clock {
    /// The machine's clock, for one of several processes whose clocks differ by at most [`MAX_FUNCTION_SKEW`].
    pub fn for_function() -> Self {
        Self::new(Timestamp::now, MAX_FUNCTION_SKEW)
    }

    /// The machine's clock, for the only process that accepts requests.
    pub fn for_server() -> Self {
        Self::new(Timestamp::now, Duration::ZERO)
    }

    /// A clock that follows `source`, for one of several processes whose clocks differ by at most `skew`.
    pub fn new(source: impl Fn() -> Timestamp + Send + Sync + 'static, skew: Duration) -> Self {
        let state =
            State { floor: Timestamp::from_unix_millis(0), floor_set_at: Instant::now(), last_stamp: None };
        Self { source: Arc::new(source), skew, state: Arc::new(Mutex::new(state)) }
    }

    /// The maximum difference between the clocks of two processes of this deployment.
    pub fn skew(&self) -> Duration {
        self.skew
    }

    /// The current time. Never earlier than a time that was returned before.
    pub fn now(&self) -> Timestamp {
        self.advance(&mut self.lock())
    }

    /// A stamp above every one that this process has issued, except those ahead of its clock ([`Clock::last_stamp`]).
    pub fn stamp(&self) -> Stamp {
        self.stamp_after([])
    }

    /// The stamp of a request that is executed at once: like [`Clock::stamp`], and above the stamps that it has read.
    pub fn stamp_after(&self, read: impl IntoIterator<Item = Stamp>) -> Stamp {
        self.issue(Duration::ZERO, read.into_iter().max())
    }

    /// The stamp of a queued request: above the stamps that it has read and those that other requests derived from
    /// them, and above every request that any process has executed at once.
    pub fn stamp_ahead(&self, read: impl IntoIterator<Item = Stamp>) -> Stamp {
        self.issue(self.skew, read.into_iter().max().map(next_millisecond))
    }

    /// The stamp of a decision on all pending images: above every queued request, too.
    pub fn stamp_ahead_of_queues(&self, read: impl IntoIterator<Item = Stamp>) -> Stamp {
        self.issue(self.skew * 2, read.into_iter().max().map(next_millisecond))
    }

    /// Whether a stamp of this clock is ahead of it, so that another process may issue a smaller one later. Always
    /// false if there is only one process.
    pub fn is_ahead(&self, stamp: Stamp) -> bool {
        !self.skew.is_zero() && stamp.time() > self.now()
    }

    /// Whether a stamp of this clock is so far ahead that another process may later give a smaller one to a decision
    /// on all pending images ([`Clock::stamp_ahead_of_queues`]). Only a stamp above such a decision is. Always false
    /// if there is only one process.
    pub fn is_far_ahead(&self, stamp: Stamp) -> bool {
        !self.skew.is_zero() && stamp.time() > self.now().plus(self.skew)
    }

    /// The greatest stamp that it has issued; `None` before the first. Among several processes, stamps ahead of the
    /// clock do not count.
    pub fn last_stamp(&self) -> Option<Stamp> {
        self.lock().last_stamp
    }

    /// Continues from `moment`: no earlier time is returned from now on. Returns how far the machine's clock is behind
    /// it.
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
        // Among several processes, one that has read a stamp from ahead must not carry it over into other requests: a
        // request that has to be above it reads it, too.
        if self.skew.is_zero() || (ahead.is_zero() && stamp.time() <= now) {
            state.last_stamp = Some(stamp);
        }
        stamp
    }

    fn advance(&self, state: &mut State) -> Timestamp {
        let now = Instant::now();
        let elapsed = now.saturating_duration_since(state.floor_set_at);
        state.floor = state.floor.plus(elapsed).max((self.source)());
        // The fraction of a millisecond is kept for the next call.
        let fraction = Duration::from_nanos(u64::from(elapsed.subsec_nanos() % 1_000_000));
        state.floor_set_at = now.checked_sub(fraction).unwrap_or(now);
        state.floor
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Only the time source of a test can panic while the lock is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first stamp of the next millisecond. Requests that are executed at once exceed the stamps that they have read
/// by far less.
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
        let immediate = fast.0.stamp();
        let queued = slow.stamp_ahead([]);
        assert!(queued > immediate);
        let after_queued = fast.0.stamp_after([queued]);
        assert!(slow.stamp_ahead([queued]) > after_queued);
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
