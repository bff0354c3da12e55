//! What a decision is made from: the items of some pairs, with the revisions that must still be so when it is written.

use std::collections::{BTreeSet, HashMap, HashSet};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::item::{self, Item};
use super::keys::{self, Key, PK, SK, Subject};
use super::{Store, StoreError, images, memberships, queues, vaults};
use crate::domain::{Change, ImageId, Known, Membership, Stamp, Task, Tenant, TenantId, Timestamp, needed};

/// An image and a tenant.
pub(crate) type Pair<'a> = (&'a ImageId, &'a TenantId);

/// What was read of some pairs.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) known: Known,
    pub(super) revisions: HashMap<(ImageId, TenantId), u64>,
    /// When the memberships were last changed.
    pub(super) updated: HashMap<(ImageId, TenantId), Timestamp>,
    /// The tenants that were asked for, whether or not the table has an item of them.
    tenants_read: HashSet<TenantId>,
}

/// Inboxes that are counted at the same time.
const COUNTS_SIDE_BY_SIDE: usize = 16;

impl Store {
    /// Reads the heads of the images and the memberships of some pairs, and some tenants. One batch read for every 100 items.
    pub(crate) async fn snapshot(
        &self,
        pairs: &[Pair<'_>],
        tenants: &[&TenantId],
    ) -> Result<Snapshot, StoreError> {
        let images: HashSet<_> = pairs.iter().map(|(image, _)| *image).collect();
        let tenants: HashSet<_> = tenants.iter().copied().collect();
        let mut wanted: Vec<_> = images.into_iter().map(keys::head).collect();
        wanted.extend(pairs.iter().map(|(image, tenant)| keys::membership(image, tenant)));
        wanted.extend(tenants.into_iter().map(keys::tenant));
        let mut snapshot = Snapshot::default();
        snapshot.read(self, wanted).await?;
        Ok(snapshot)
    }

    /// Reads some images' heads and some tenants. One batch read for every 100 items.
    pub(crate) async fn heads_and_tenants(
        &self,
        images: &[ImageId],
        tenants: &[&TenantId],
    ) -> Result<Snapshot, StoreError> {
        let tenants: HashSet<_> = tenants.iter().copied().collect();
        let heads = images.iter().map(keys::head);
        let mut snapshot = Snapshot::default();
        snapshot.read(self, heads.chain(tenants.into_iter().map(keys::tenant)).collect()).await?;
        Ok(snapshot)
    }

    /// Reads what a task on some pairs is decided from: in one batch read, and in another where an image is encrypted or
    /// needs a vault; and counts the inboxes of those who are asked for an answer.
    pub(crate) async fn snapshot_for(&self, task: &Task, pairs: &[Pair<'_>]) -> Result<Snapshot, StoreError> {
        // Only a share looks at its recipients: they must be of this region.
        let recipients = pairs.iter().map(|(_, tenant)| *tenant).filter(|_| *task == Task::Share);
        let mut snapshot = self.snapshot(pairs, &recipients.collect::<Vec<_>>()).await?;
        self.read_needed(&mut snapshot, task, pairs).await?;
        Ok(snapshot)
    }

    /// Reads the tenants that a snapshot does not hold yet. Nothing, or one batch read.
    pub(crate) async fn read_tenants(
        &self,
        snapshot: &mut Snapshot,
        tenants: &BTreeSet<TenantId>,
    ) -> Result<(), StoreError> {
        let missing = tenants.iter().filter(|id| !snapshot.tenants_read.contains(*id));
        let missing: Vec<_> = missing.map(keys::tenant).collect();
        if missing.is_empty() { Ok(()) } else { snapshot.read(self, missing).await }
    }

    /// Whether the membership of a pair is still as it was read. One batch read.
    pub(crate) async fn is_unchanged(
        &self,
        read: &Snapshot,
        (image, tenant): (&ImageId, &TenantId),
    ) -> Result<bool, StoreError> {
        let again = self.snapshot(&[(image, tenant)], &[]).await?;
        let pair = (image.clone(), tenant.clone());
        Ok(again.revisions.get(&pair) == read.revisions.get(&pair))
    }

    /// Reads what a task on pairs that were read is decided from besides: nothing, or in one batch read; and the inboxes that
    /// were not counted a moment ago.
    pub(crate) async fn read_needed(
        &self,
        snapshot: &mut Snapshot,
        task: &Task,
        pairs: &[Pair<'_>],
    ) -> Result<(), StoreError> {
        let needed = needed(task, pairs.iter().copied(), &snapshot.known);
        let grants = needed.grants.iter().map(keys::key_grant);
        let items: Vec<_> = grants.chain(needed.vaults.iter().map(keys::vault)).collect();
        let counts = stream::iter(needed.inboxes).map(|tenant| async move {
            let inbox = self.inbox(&tenant).await?;
            Ok::<_, StoreError>((tenant, inbox))
        });
        let counts = counts.buffer_unordered(COUNTS_SIDE_BY_SIDE).try_collect::<Vec<_>>();
        let read = async { if items.is_empty() { Ok(Vec::new()) } else { self.read(items).await } };
        let (counts, found) = tokio::try_join!(counts, read)?;
        snapshot.known.inboxes.extend(counts);
        found.iter().try_for_each(|item| snapshot.add(item))
    }
}

impl Snapshot {
    /// The stamps of all requests that formed what was read.
    pub(crate) fn stamps(&self) -> impl Iterator<Item = Stamp> {
        let memberships = self.known.memberships.values().map(Membership::newest);
        memberships.chain(self.known.tenants.values().filter_map(|tenant| tenant.clock))
    }

    /// When a membership was last changed that becomes what `change` says at that moment: one that is as it was for everybody
    /// who sees it keeps its date, as in Glance, whatever stamps it gains.
    pub(crate) fn updated_by(&self, change: &Change, now: Timestamp) -> Timestamp {
        let pair = (change.image.clone(), change.tenant.clone());
        let is_same = match (self.known.memberships.get(&pair), &change.becomes) {
            (Some(Membership::Standing(before)), Membership::Standing(after)) => {
                before.since == after.since
                    && before.status() == after.status()
                    && before.reserved == after.reserved
            }
            (before, after) => before == Some(after),
        };
        self.updated.get(&pair).copied().filter(|_| is_same).unwrap_or(now)
    }

    /// A tenant that was read; one of which the table has no item is as good as new.
    pub(crate) fn tenant(&self, id: &TenantId) -> Tenant {
        self.known.tenants.get(id).cloned().unwrap_or_default()
    }

    async fn read(&mut self, store: &Store, keys: Vec<Key>) -> Result<(), StoreError> {
        self.tenants_read.extend(keys.iter().filter_map(keys::tenant_of_key));
        for item in store.read(keys).await? {
            self.add(&item)?;
        }
        Ok(())
    }

    fn add(&mut self, item: &Item) -> Result<(), StoreError> {
        let known = &mut self.known;
        match Subject::parse(item::get_text(item, PK)?, item::get_text(item, SK)?) {
            Some(Subject::Membership) => {
                if let Some(read) = memberships::parse(item)? {
                    let pair = (read.image, read.tenant);
                    self.revisions.insert(pair.clone(), read.revision);
                    self.updated.insert(pair.clone(), read.updated);
                    known.memberships.insert(pair, read.membership);
                }
            }
            Some(Subject::Image) => {
                known.images.extend(images::parse_head(item)?.map(|head| (head.id.clone(), head)));
            }
            Some(Subject::Tenant(id)) => {
                known.tenants.insert(id, queues::parse(item)?);
            }
            Some(Subject::KeyGrant(grant)) => {
                known.grants.insert(grant);
            }
            Some(Subject::Vault(key)) => {
                known.vaults.insert(key, vaults::parse(item)?);
            }
            None => return Err(StoreError::Unreadable(SK)),
        }
        Ok(())
    }
}
