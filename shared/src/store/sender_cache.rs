//! The pairs of recipient and owner that a process knows to be recorded.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::TenantId;

/// The pairs of recipient and owner whose items this process has written or seen. They are never deleted.
#[derive(Debug, Clone, Default)]
pub(super) struct SenderCache(Arc<Mutex<HashSet<(TenantId, TenantId)>>>);

/// As many are kept in memory, some 200 bytes each.
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
