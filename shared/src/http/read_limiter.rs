//! What each tenant has read lately, in this process: on one machine that is the server, on AWS one instance of a function.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::{ReadBucket, ReadRate, TenantId, Timestamp};
use crate::store::Store;
use crate::usecases::{ExceededLimit, UseCaseError};

/// So many buckets are kept before those that are full again are looked for.
const MIN_CLEANUP_THRESHOLD: usize = 64;

/// A bucket of read units for each tenant. Clones share them. A bucket that is full again is forgotten.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReadLimiter(Arc<Mutex<Buckets>>);

#[derive(Debug, Default)]
struct Buckets {
    by_tenant: HashMap<TenantId, ReadBucket>,
    /// How many buckets there may be before those that are full are removed.
    cleanup_threshold: usize,
}

/// A read that is under way. What it has used of the table is charged to its tenant when this is dropped.
#[derive(Debug)]
pub(crate) struct ReadCharge {
    limiter: ReadLimiter,
    tenant: TenantId,
    rate: ReadRate,
    store: Store,
}

impl ReadLimiter {
    /// Begins a read of that tenant, through a store whose usage is that of the one request.
    ///
    /// # Errors
    /// [`Refusal::TooManyRequests`] where the tenant has read more than the rate allows.
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
        let (reads, mut now) = (ReadLimiter::default(), Timestamp::from_unix_millis(0));
        for number in 0..100_000 {
            // Each needs a second to be full, and ten come in a second.
            now = now.plus(Duration::from_millis(100));
            reads.charge(&tenant(number), 10.0, RATE, now);
            assert!(reads.lock().by_tenant.len() <= MIN_CLEANUP_THRESHOLD);
        }
    }

    #[test]
    fn overdrawn_bucket_survives_any_number_of_tenants() {
        let (reads, now) = (ReadLimiter::default(), Timestamp::now());
        reads.charge(&tenant(0), 1_000_000.0, RATE, now);
        for number in 1..10_000 {
            reads.charge(&tenant(number), 1.0, RATE, now.plus(Duration::from_secs(u64::from(number))));
        }
        let left = reads.lock().by_tenant[&tenant(0)];
        assert!(!left.is_full(RATE, now.plus(Duration::from_secs(10_000))));
    }
}
