//! Caches which senders are recorded, so that a share between two tenants that shared before costs nothing more.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::TenantId;

/// The pairs of recipient and owner whose items this process has written or read. Those items are never deleted, so an
/// entry never becomes stale. Clones share the cache.
#[derive(Debug, Clone, Default)]
pub(super) struct SenderCache(Arc<Mutex<HashSet<(TenantId, TenantId)>>>);

/// The most pairs in the cache, about 200 bytes each. A full cache is cleared.
const MAX_CACHED_PAIRS: usize = 10_000;

impl SenderCache {
    pub(super) fn contains(&self, pair: &(TenantId, TenantId)) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(pair)
    }

    pub(super) fn insert_all(&self, pairs: impl IntoIterator<Item = (TenantId, TenantId)>) {
        let mut cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cached.len() > MAX_CACHED_PAIRS {
            cached.clear();
        }
        cached.extend(pairs);
    }
}
