//! Counts the images that are pending for a tenant.

use super::client::Store;
use super::error::StoreError;
use super::item;
use super::keys::{self, GSK, LISTS_INDEX, List};
use crate::domain::{Inbox, Status, TenantId};
use crate::table::{Projection, Query};

/// The highest number of pending images that is counted: far above any inbox limit that a deployment is likely to set.
pub const MAX_PENDING_COUNT: usize = 20_000;

/// The smallest number of pending images that is kept for people to read. To count fewer costs a page little.
const MIN_CACHED: usize = 1_000;

impl Store {
    /// Returns the number of pending images of a tenant: from the cache, or in one query for about 7,000 of them.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub(crate) async fn inbox(&self, tenant: &TenantId) -> Result<Inbox, StoreError> {
        let now = self.clock.now();
        if let Some(inbox) = self.inbox_cache.get(tenant, now) {
            return Ok(inbox);
        }
        let inbox = self.count_inbox(tenant).await?;
        self.inbox_cache.insert(tenant.clone(), inbox.clone(), now);
        Ok(inbox)
    }

    /// Returns the number of pending images of a tenant: from the cache, or counted up to `limit`, which is not cached.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn pending_count(&self, tenant: &TenantId, limit: usize) -> Result<usize, StoreError> {
        match self.inbox_cache.get(tenant, self.clock.now()) {
            Some(inbox) => Ok(inbox.pending as usize),
            None => self.count_list(&List::Received(tenant.clone(), Status::Pending), limit).await,
        }
    }

    /// Returns the number of pending images of a tenant, up to [`MAX_PENDING_COUNT`] or a little more: from the cache, or counted.
    /// Only a large number is cached, since that it is a little old is not noticed.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn full_pending_count(&self, tenant: &TenantId) -> Result<usize, StoreError> {
        let now = self.clock.now();
        if let Some(inbox) = self.inbox_cache.get(tenant, now) {
            return Ok(inbox.pending as usize);
        }
        let inbox = self.count_inbox(tenant).await?;
        let pending = inbox.pending as usize;
        if pending >= MIN_CACHED {
            self.inbox_cache.insert(tenant.clone(), inbox, now);
        }
        Ok(pending)
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
            if query.start.is_none() || inbox.pending as usize > MAX_PENDING_COUNT {
                return Ok(inbox);
            }
        }
    }
}
