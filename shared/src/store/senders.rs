//! Senders: the owners that have shared with a tenant. There is an item for each owner and recipient, written before
//! the first share between the two. A search by tag or name finds received images in the lists of their owners, so
//! that a share does not have to write such entries.

use std::collections::HashSet;

use futures_util::future::try_join_all;

use super::client::Store;
use super::error::{StoreError, WriteError};
use super::item;
use super::keys::{self, PK, SK};
use super::snapshot::Snapshot;
use crate::domain::{Plan, TenantId};
use crate::table::{Projection, Query, Write};

impl Store {
    /// Records the senders that a plan adds, before the plan is committed. Costs nothing for pairs in the cache; for
    /// others, one batch read for every 100, and a write of one unit for each that is new.
    pub(super) async fn record_senders(&self, plan: &Plan, snapshot: &Snapshot) -> Result<(), StoreError> {
        let new_memberships = plan.changes.iter().filter(|change| {
            let current = snapshot.input.memberships.get(&(change.image.clone(), change.tenant.clone()));
            let was_active = current.is_some_and(|current| current.active().is_some());
            change.membership.active().is_some() && !was_active
        });
        let pairs = new_memberships.filter_map(|change| {
            Some((change.tenant.clone(), snapshot.input.images.get(&change.image)?.owner.clone()))
        });
        self.record_sender_pairs(pairs.collect()).await
    }

    /// Records the pairs of recipient and owner that are neither in the cache nor in the table.
    async fn record_sender_pairs(&self, mut pairs: HashSet<(TenantId, TenantId)>) -> Result<(), StoreError> {
        pairs.retain(|pair| !self.sender_cache.contains(pair));
        if pairs.is_empty() {
            return Ok(());
        }
        let keys = pairs.iter().map(|(recipient, owner)| keys::sender(recipient, owner)).collect();
        let items = self.read_eventually(keys, Projection::Only(&[PK, SK])).await?;
        let pair = |item| {
            let recipient = keys::parse_senders_partition(item::get_text(item, PK).ok()?)?;
            Some((recipient, item::get_parsed(item, SK).ok()?))
        };
        let recorded: HashSet<_> = items.iter().filter_map(pair).collect();
        let new = pairs.iter().filter(|pair| !recorded.contains(*pair));
        let untracked = self.untracked();
        let put = async |(recipient, owner): &(TenantId, TenantId)| {
            let no_attributes: [(&str, _); 0] = [];
            match untracked
                .update(&Write::put(item::item(keys::sender(recipient, owner), no_attributes)))
                .await
            {
                Ok(_) => Ok(()),
                Err(WriteError::Store(error)) => Err(error),
                Err(WriteError::ConditionFailed(_)) => {
                    Err(StoreError::Refused("a put without a condition failed its condition".into()))
                }
            }
        };
        try_join_all(new.map(put)).await?;
        self.sender_cache.insert_all(pairs);
        Ok(())
    }

    /// Returns the owners that have shared with a tenant, ordered by id, at most `limit`. One query, about 1 read unit
    /// for 100.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn senders(&self, recipient: &TenantId, limit: usize) -> Result<Vec<TenantId>, StoreError> {
        let query =
            Query::new("pk = :recipient").value(":recipient", item::text(keys::senders_partition(recipient)));
        let mut query = Query { projection: Projection::Only(&[SK]), ..query };
        let mut senders = Vec::new();
        while senders.len() < limit {
            query.limit = Some(limit - senders.len());
            let page = self.query(&query).await?;
            for item in &page.items {
                senders.push(item::get_parsed(item, SK)?);
            }
            query.start = page.next;
            if query.start.is_none() {
                break;
            }
        }
        Ok(senders)
    }
}
