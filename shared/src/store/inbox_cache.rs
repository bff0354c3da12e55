//! Caches the size of each tenant's inbox: its pending images, in total and per owner.
//!
//! The table has no counter of them: it would be one more item in the transaction of every share, and the same item
//! for all owners that share with one tenant. Instead the entries of the index are counted, since each ends with the
//! image's owner, and the count is cached for some seconds. So the limits on an inbox are approximate, which is enough
//! to protect it (`contract/decisions.md` 12).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::domain::{Inbox, Plan, TenantId, Timestamp};

/// How long a count is used.
const COUNT_TTL: Duration = Duration::from_secs(10);

/// The most tenants whose count is cached. When the cache is full of fresh counts, a new one is not stored.
const MAX_CACHED_COUNTS: usize = 10_000;

/// The cache of a process. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct InboxCache(Arc<Mutex<HashMap<TenantId, (Inbox, Timestamp)>>>);

impl InboxCache {
    pub(super) fn get(&self, tenant: &TenantId, now: Timestamp) -> Option<Inbox> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |at: &Timestamp| *at <= now && now < at.plus(COUNT_TTL);
        counts.get(tenant).filter(|(_, at)| is_fresh(at)).map(|(inbox, _)| inbox.clone())
    }

    pub(super) fn insert(&self, tenant: TenantId, inbox: Inbox, now: Timestamp) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= MAX_CACHED_COUNTS {
            counts.retain(|_, (_, at)| now < at.plus(COUNT_TTL));
        }
        if counts.len() < MAX_CACHED_COUNTS {
            counts.insert(tenant, (inbox, now));
        }
    }

    /// Updates the cached counts after a commit, so that this process's own shares count at once.
    pub(super) fn apply_plan(&self, plan: &Plan) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for ((tenant, owner), delta) in &plan.pending_deltas {
            if let Some((inbox, _)) = counts.get_mut(tenant) {
                inbox.pending = inbox.pending.saturating_add_signed(*delta);
                let pending = inbox.pending_by_owner.entry(owner.clone()).or_default();
                *pending = pending.saturating_add_signed(*delta);
            }
        }
    }
}
