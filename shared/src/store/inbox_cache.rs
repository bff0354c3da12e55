//! How many images wait for a tenant's answer, in all and of each owner.
//!
//! No counter is kept: it would be one more item in every share's transaction, and the same item for all who share with one
//! tenant. What waits is counted from the index, where each entry ends with the image's owner, and the count is remembered
//! for some seconds. So the limits that rest on it are approximate: they protect an inbox (`contract/decisions.md` 12).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::item;
use super::keys::{self, GSK, LISTS_INDEX, List};
use super::{Store, StoreError};
use crate::domain::{Inbox, Plan, Status, TenantId, Timestamp};
use crate::table::{Projection, Query};

/// How long a count is remembered.
const COUNT_TTL: Duration = Duration::from_secs(10);

/// The most counts that are remembered.
const MAX_CACHED_COUNTS: usize = 10_000;

/// What waits is counted no further than this: more than any limit that a deployment is likely to set.
const MAX_COUNTED: usize = 20_000;

/// The counts of a process. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct InboxCache(Arc<Mutex<HashMap<TenantId, (Inbox, Timestamp)>>>);

impl InboxCache {
    fn get(&self, tenant: &TenantId, now: Timestamp) -> Option<Inbox> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |at: &Timestamp| *at <= now && now < at.plus(COUNT_TTL);
        counts.get(tenant).filter(|(_, at)| is_fresh(at)).map(|(inbox, _)| inbox.clone())
    }

    fn insert(&self, tenant: TenantId, inbox: Inbox, now: Timestamp) {
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

impl Store {
    /// Counts the images that wait for a tenant's answer: from memory, or in one query for some 7,000 of them.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub(crate) async fn inbox(&self, tenant: &TenantId) -> Result<Inbox, StoreError> {
        let now = self.clock.now();
        if let Some(inbox) = self.inbox_cache.get(tenant, now) {
            return Ok(inbox);
        }
        let inbox = self.count_inbox(tenant).await?;
        self.inbox_cache.insert(tenant.clone(), inbox.clone(), now);
        Ok(inbox)
    }

    async fn count_inbox(&self, tenant: &TenantId) -> Result<Inbox, StoreError> {
        let list = List::Received(tenant.clone(), Status::Pending);
        let query = Query::new("gpk = :list").value(":list", item::text(list));
        let mut query = Query { index: Some(LISTS_INDEX), projection: Projection::Only(&[GSK]), ..query };
        let mut inbox = Inbox::default();
        loop {
            let page = self.query(&query).await?;
            for found in &page.items {
                let owner = keys::parse_received_owner(item::get_text(found, GSK)?);
                *inbox.pending_by_owner.entry(owner.ok_or(StoreError::Unreadable(GSK))?).or_default() += 1;
                inbox.pending += 1;
            }
            query.start = page.next;
            if query.start.is_none() || inbox.pending as usize >= MAX_COUNTED {
                return Ok(inbox);
            }
        }
    }
}
