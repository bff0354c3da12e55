//! The read rate of a tenant: a token bucket of the table's read units.

use std::time::Duration;

use super::Timestamp;

/// A full bucket holds the read units of this many seconds.
const BURST_SECONDS: f64 = 60.0;

/// The rate at which a bucket refills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadRate {
    /// Read units per second.
    pub units_per_second: u32,
}

/// The read units that one tenant has used and that have not been refilled.
///
/// The cost of a read is known only when it has ended, so a bucket may be overdrawn. It then allows no read until it
/// is positive again. Times are those of the wall clock, since the monotonic clock stops while Lambda freezes a
/// function. A wall clock that is set back stops the refill only until the next call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReadBucket {
    deficit: f64,
    updated_at: Timestamp,
}

impl ReadRate {
    fn per_second(self) -> f64 {
        f64::from(self.units_per_second.max(1))
    }

    /// The read units of a full bucket.
    fn capacity(self) -> f64 {
        self.per_second() * BURST_SECONDS
    }
}

impl ReadBucket {
    /// A full bucket.
    pub fn full(now: Timestamp) -> Self {
        Self { deficit: 0.0, updated_at: now }
    }

    /// Charges the cost of a read. It may overdraw the bucket.
    pub fn take(&mut self, units: f64, rate: ReadRate, now: Timestamp) {
        self.refill(rate, now);
        self.deficit += units.max(0.0);
    }

    /// Whether the bucket is full, so that it need not be kept.
    pub fn is_full(&self, rate: ReadRate, now: Timestamp) -> bool {
        self.deficit_at(rate, now) <= 0.0
    }

    /// How long the tenant has to wait before its next read; `None` if it may read now.
    pub fn retry_after(&mut self, rate: ReadRate, now: Timestamp) -> Option<Duration> {
        self.refill(rate, now);
        let overdrawn = self.deficit - rate.capacity();
        // A century is enough, and `Duration::from_secs_f64` panics far above it.
        let seconds = (overdrawn / rate.per_second()).min(4e9);
        (overdrawn >= 0.0).then(|| Duration::from_secs_f64(seconds).max(Duration::from_millis(1)))
    }

    fn refill(&mut self, rate: ReadRate, now: Timestamp) {
        self.deficit = self.deficit_at(rate, now);
        self.updated_at = now;
    }

    fn deficit_at(&self, rate: ReadRate, now: Timestamp) -> f64 {
        let passed = now.unix_millis().saturating_sub(self.updated_at.unix_millis()).max(0);
        #[expect(clippy::cast_precision_loss, reason = "exact for 285,000 years")]
        let refilled = passed as f64 / 1000.0 * rate.per_second();
        (self.deficit - refilled).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATE: ReadRate = ReadRate { units_per_second: 10 };

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(millis)
    }

    #[test]
    fn burst_of_one_minute_is_allowed() {
        let mut bucket = ReadBucket::full(at(0));
        bucket.take(599.5, RATE, at(0));
        assert_eq!(bucket.retry_after(RATE, at(0)), None);
        bucket.take(0.5, RATE, at(0));
        assert_eq!(bucket.retry_after(RATE, at(0)), Some(Duration::from_millis(1)));
        assert_eq!(bucket.retry_after(RATE, at(1)), None);
    }

    #[test]
    fn expensive_read_is_charged_afterwards() {
        let mut bucket = ReadBucket::full(at(0));
        bucket.take(650.0, RATE, at(0));
        assert_eq!(bucket.retry_after(RATE, at(0)), Some(Duration::from_secs(5)));
        assert_eq!(bucket.retry_after(RATE, at(4_000)), Some(Duration::from_secs(1)));
        assert_eq!(bucket.retry_after(RATE, at(5_001)), None);
        assert!(!bucket.is_full(RATE, at(64_999)));
        assert!(bucket.is_full(RATE, at(65_000)));
    }

    #[test]
    fn clock_set_back_does_not_affect_refill() {
        let mut bucket = ReadBucket::full(at(1_000_000));
        bucket.take(650.0, RATE, at(1_000_000));
        assert_eq!(bucket.retry_after(RATE, at(0)), Some(Duration::from_secs(5)));
        assert_eq!(bucket.retry_after(RATE, at(5_001)), None);
    }

    proptest! {
        /// Reads that wait as required use at most the burst, the refill and the cost of one read.
        #[test]
        fn read_rate_is_never_exceeded(
            units_per_second in 1..100_000_u32,
            reads in prop::collection::vec((0..20_000_u32, 0..5_000_i64), 1..200),
        ) {
            let rate = ReadRate { units_per_second };
            let (mut bucket, mut now, mut read, mut largest) = (ReadBucket::full(at(0)), 0, 0.0, 0.0_f64);
            for (half_units, pause) in reads {
                now += pause;
                if let Some(wait) = bucket.retry_after(rate, at(now)) {
                    prop_assert!(wait > Duration::ZERO);
                    now += i64::try_from(wait.as_millis()).unwrap() + 1;
                    prop_assert_eq!(bucket.retry_after(rate, at(now)), None, "the wait is long enough");
                }
                let units = f64::from(half_units) / 2.0;
                bucket.take(units, rate, at(now));
                read += units;
                largest = largest.max(units);
                let seconds = f64::from(u32::try_from(now).unwrap()) / 1000.0;
                let max = f64::from(units_per_second) * (60.0 + seconds) + largest;
                prop_assert!(read <= max + 1.0, "{read} of {max}");
            }
            let end = at(now + 1_000 * 3_600 * 24 * 365);
            prop_assert!(bucket.is_full(rate, end) && bucket.retry_after(rate, end).is_none());
        }

        #[test]
        fn read_bucket_never_panics(
            units in any::<f64>(),
            units_per_second in any::<u32>(),
            moments in any::<[i64; 3]>(),
        ) {
            let rate = ReadRate { units_per_second };
            let mut bucket = ReadBucket::full(at(moments[0]));
            bucket.take(units, rate, at(moments[1]));
            bucket.take(units, rate, at(moments[2]));
            let _ = bucket.retry_after(rate, at(moments[0]));
        }
    }
}
