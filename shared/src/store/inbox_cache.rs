//! How many images wait for a tenant's answer, in all and of each owner.
//!
//! No counter is kept: it would be one more item in every share's transaction, and the same item for all who share with one
//! tenant. What waits is counted from the index, where each entry ends with the image's owner, and the count is remembered
//! for some seconds. So the limits that rest on it are approximate: they protect an inbox (`contract/decisions.md` 12).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::domain::{Inbox, Plan, TenantId, Timestamp};

/// How long a count is remembered.
const COUNT_TTL: Duration = Duration::from_secs(10);

/// The most counts that are remembered.
const MAX_CACHED_COUNTS: usize = 10_000;

/// The counts of a process. Clones share them.
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

    /// Takes note of what was written: this process's own shares count at once.
    pub(super) fn apply_plan(&self, plan: &Plan) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for ((tenant, owner), growth) in &plan.pending_deltas {
            if let Some((inbox, _)) = counts.get_mut(tenant) {
                inbox.pending = inbox.pending.saturating_add_signed(*growth);
                let of_owner = inbox.pending_by_owner.entry(owner.clone()).or_default();
                *of_owner = of_owner.saturating_add_signed(*growth);
            }
        }
    }
}
