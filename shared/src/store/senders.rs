//! The owners that have shared with a tenant: an item for each owner and recipient, written before the first image of the owner is
//! shared with the recipient. By it what a recipient has received is found in the lists of its owners, which know tags and
//! names, so that a share pays for none of that.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::try_join_all;

use super::call::NotWritten;
use super::item;
use super::keys::{self, PK, SK};
use super::snapshot::Snapshot;
use super::{Store, StoreError};
use crate::domain::{Decision, TenantId};
use crate::table::{Attributes, Query, Write};

/// The pairs of recipient and owner whose items this process has written or seen. They are never deleted.
#[derive(Debug, Clone, Default)]
pub(super) struct Senders(Arc<Mutex<HashSet<(TenantId, TenantId)>>>);

/// As many are kept in memory, some 200 bytes each.
const MAX_KEPT: usize = 10_000;

impl Senders {
    fn has(&self, pair: &(TenantId, TenantId)) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(pair)
    }

    fn keep(&self, pairs: impl IntoIterator<Item = (TenantId, TenantId)>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() > MAX_KEPT {
            kept.clear();
        }
        kept.extend(pairs);
    }
}

impl Store {
    /// Remembers the owners of the images that tenants are to receive by a decision, before it is written. Nothing for pairs that
    /// this process has seen; else one batch read for every 100, and a write of one unit for each that is new.
    pub(super) async fn remember_senders(
        &self,
        decision: &Decision,
        read: &Snapshot,
    ) -> Result<(), StoreError> {
        let begins = decision.changes.iter().filter(|change| {
            let current = read.known.memberships.get(&(change.image.clone(), change.tenant.clone()));
            let stood = current.is_some_and(|current| current.standing().is_some());
            change.becomes.standing().is_some() && !stood
        });
        let pairs = begins.filter_map(|change| {
            Some((change.tenant.clone(), read.known.images.get(&change.image)?.owner.clone()))
        });
        self.remember_pairs(pairs.collect()).await
    }

    /// One batch read for every 100 pairs that this process does not know, and a write for each that is new.
    async fn remember_pairs(&self, mut pairs: HashSet<(TenantId, TenantId)>) -> Result<(), StoreError> {
        pairs.retain(|pair| !self.senders.has(pair));
        if pairs.is_empty() {
            return Ok(());
        }
        let wanted = pairs.iter().map(|(recipient, owner)| keys::sender(recipient, owner)).collect();
        let found = self.read_eventually(wanted, Attributes::These(&[PK, SK])).await?;
        let pair = |item| {
            let recipient = keys::tenant_of_senders(item::get_text(item, PK).ok()?)?;
            Some((recipient, item::get_parsed(item, SK).ok()?))
        };
        let found: HashSet<_> = found.iter().filter_map(pair).collect();
        let new = pairs.iter().filter(|pair| !found.contains(*pair));
        let aside = self.aside();
        let put = async |(recipient, owner): &(TenantId, TenantId)| {
            let nothing: [(&str, _); 0] = [];
            match aside.update(&Write::put(item::item(keys::sender(recipient, owner), nothing))).await {
                Ok(_) => Ok(()),
                Err(NotWritten::Store(error)) => Err(error),
                Err(NotWritten::Conditions(_)) => {
                    Err(StoreError::Refused("a put without a condition".into()))
                }
            }
        };
        try_join_all(new.map(put)).await?;
        self.senders.keep(pairs);
        Ok(())
    }

    /// The owners who have shared with a tenant, in the order of their ids: at most `most`. One query, about 1 read unit for
    /// 100.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn senders(&self, recipient: &TenantId, most: usize) -> Result<Vec<TenantId>, StoreError> {
        let query =
            Query::new("pk = :recipient").value(":recipient", item::text(keys::senders_partition(recipient)));
        let mut query = Query { attributes: Attributes::These(&[SK]), ..query };
        let mut senders = Vec::new();
        while senders.len() < most {
            query.most = Some(most - senders.len());
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
