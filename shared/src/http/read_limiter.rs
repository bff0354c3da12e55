//! Limit the read rate of each tenant in this process: the server of one machine, or one instance of a function on AWS.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::{ReadBucket, ReadRate, TenantId, Timestamp};
use crate::store::Store;
use crate::usecases::{ExceededLimit, UseCaseError};

/// The least number of buckets at which full ones are removed.
const MIN_CLEANUP_THRESHOLD: usize = 64;

/// A token bucket of read units per tenant, shared by clones. Buckets that are full again are removed.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReadLimiter(Arc<Mutex<Buckets>>);

#[derive(Debug, Default)]
struct Buckets {
    by_tenant: HashMap<TenantId, ReadBucket>,
    /// The number of buckets at which full ones are removed next.
    cleanup_threshold: usize,
}

/// A read in progress. Charges its tenant with the read units it has used when it is dropped.
#[derive(Debug)]
pub(crate) struct ReadCharge {
    limiter: ReadLimiter,
    tenant: TenantId,
    rate: ReadRate,
    store: Store,
}

impl ReadLimiter {
    /// Starts a read of a tenant, through a store that meters this request alone.
    ///
    /// # Errors
    /// [`UseCaseError::TooManyRequests`] if the tenant has exceeded its read rate.
    pub(crate) fn start_read(
        &self,
        tenant: &TenantId,
        rate: ReadRate,
        store: &Store,
    ) -> Result<ReadCharge, UseCaseError> {
        let wait = self
            .lock()
            .by_tenant
            .get_mut(tenant)
            .and_then(|bucket| bucket.retry_after(rate, Timestamp::now()));
        match wait {
            Some(retry_after) => {
                let excess = ExceededLimit::ReadUnits { per_second: rate.units_per_second };
                Err(UseCaseError::TooManyRequests { retry_after, excess })
            }
            None => {
                Ok(ReadCharge { limiter: self.clone(), tenant: tenant.clone(), rate, store: store.clone() })
            }
        }
    }

    fn charge(&self, tenant: &TenantId, units: f64, rate: ReadRate, now: Timestamp) {
        let mut buckets = self.lock();
        if let Some(bucket) = buckets.by_tenant.get_mut(tenant) {
            return bucket.take(units, rate, now);
        }
        if buckets.by_tenant.len() >= buckets.cleanup_threshold {
            buckets.by_tenant.retain(|_, bucket| !bucket.is_full(rate, now));
            buckets.cleanup_threshold = MIN_CLEANUP_THRESHOLD.max(2 * buckets.by_tenant.len());
        }
        let mut bucket = ReadBucket::full(now);
        bucket.take(units, rate, now);
        buckets.by_tenant.insert(tenant.clone(), bucket);
    }

    fn lock(&self) -> MutexGuard<'_, Buckets> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ReadCharge {
    fn drop(&mut self) {
        let units = self.store.usage().read_units;
        if units > 0.0 {
            self.limiter.charge(&self.tenant, units, self.rate, Timestamp::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const RATE: ReadRate = ReadRate { units_per_second: 10 };

    fn tenant(number: u32) -> TenantId {
        format!("tenant-{number}").parse().unwrap()
    }

    #[test]
    fn refilled_bucket_is_removed() {
        let (limiter, mut now) = (ReadLimiter::default(), Timestamp::from_unix_millis(0));
        for number in 0..100_000 {
            // Each bucket needs a second to refill, and ten are added per second.
            now = now.plus(Duration::from_millis(100));
            limiter.charge(&tenant(number), 10.0, RATE, now);
            assert!(limiter.lock().by_tenant.len() <= MIN_CLEANUP_THRESHOLD);
        }
    }

    #[test]
    fn overdrawn_bucket_survives_any_number_of_tenants() {
        let (limiter, now) = (ReadLimiter::default(), Timestamp::now());
        limiter.charge(&tenant(0), 1_000_000.0, RATE, now);
        for number in 1..10_000 {
            limiter.charge(&tenant(number), 1.0, RATE, now.plus(Duration::from_secs(u64::from(number))));
        }
        let left = limiter.lock().by_tenant[&tenant(0)];
        assert!(!left.is_full(RATE, now.plus(Duration::from_secs(10_000))));
    }
}
