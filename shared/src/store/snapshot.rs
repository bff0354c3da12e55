//! Snapshots: the items that a plan is made from, with the revisions that its guards check when it is committed.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::client::Store;
use super::error::StoreError;
use super::item::{self, Item};
use super::items::{image, membership, owner_policy, tenant, vault};
use super::keys::{self, Key, PK, SK, SnapshotItem};
use crate::domain::{
    Change, ImageHead, ImageId, Job, Membership, PermissionChange, Plan, Rules, ShareRefused, Stamp,
    StepInput, Task, Tenant, TenantId, Timestamp, Unauthorized, extra_reads, owner_policy_reads, plan,
    plan_dry_run, plan_failure, plan_permissions, reads_recipients,
};

/// An image and a tenant.
pub(crate) type Pair<'a> = (&'a ImageId, &'a TenantId);

/// The items of some pairs and tenants, as they were read.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    /// The input of plans. It is private to the store: a use case gets an image only by [`Snapshot::image`], which
    /// demands authorization.
    pub(super) input: StepInput,
    pub(super) revisions: HashMap<(ImageId, TenantId), u64>,
    /// When the memberships were last changed.
    pub(super) updated: HashMap<(ImageId, TenantId), Timestamp>,
    /// The tenants that were read, whether or not the table has an item for them.
    loaded_tenants: HashSet<TenantId>,
}

/// The most inboxes that are counted in parallel.
const MAX_CONCURRENT_COUNTS: usize = 16;

impl Store {
    /// Reads the image heads and memberships of pairs, and tenants. One batch read for every 100 items.
    pub(crate) async fn snapshot(
        &self,
        pairs: &[Pair<'_>],
        tenants: &[&TenantId],
    ) -> Result<Snapshot, StoreError> {
        let images: HashSet<_> = pairs.iter().map(|(image, _)| *image).collect();
        let tenants: HashSet<_> = tenants.iter().copied().collect();
        let mut keys: Vec<_> = images.into_iter().map(keys::head).collect();
        keys.extend(pairs.iter().map(|(image, tenant)| keys::membership(image, tenant)));
        keys.extend(tenants.into_iter().map(keys::tenant));
        let mut snapshot = Snapshot::default();
        snapshot.load(self, keys).await?;
        Ok(snapshot)
    }

    /// Reads image heads and tenants. One batch read for every 100 items.
    pub(crate) async fn heads_and_tenants(
        &self,
        images: &[ImageId],
        tenants: &[&TenantId],
    ) -> Result<Snapshot, StoreError> {
        let tenants: HashSet<_> = tenants.iter().copied().collect();
        let heads = images.iter().map(keys::head);
        let mut snapshot = Snapshot::default();
        snapshot.load(self, heads.chain(tenants.into_iter().map(keys::tenant)).collect()).await?;
        Ok(snapshot)
    }

    /// Reads everything that a plan for a task on pairs needs. One batch read for every 100 items, and what
    /// [`Self::read_extra`] takes.
    pub(crate) async fn step_snapshot(
        &self,
        task: &Task,
        pairs: &[Pair<'_>],
    ) -> Result<Snapshot, StoreError> {
        let recipients = pairs.iter().map(|(_, tenant)| *tenant).filter(|_| reads_recipients(task));
        let mut snapshot = self.snapshot(pairs, &recipients.collect::<Vec<_>>()).await?;
        self.read_extra(&mut snapshot, task, pairs).await?;
        Ok(snapshot)
    }

    /// Adds the tenants that a snapshot lacks. One batch read for every 100, or none.
    pub(crate) async fn read_tenants(
        &self,
        snapshot: &mut Snapshot,
        tenants: &BTreeSet<TenantId>,
    ) -> Result<(), StoreError> {
        let missing = tenants.iter().filter(|id| !snapshot.loaded_tenants.contains(*id));
        let missing: Vec<_> = missing.map(keys::tenant).collect();
        if missing.is_empty() { Ok(()) } else { snapshot.load(self, missing).await }
    }

    /// Returns whether the membership of a pair is unchanged since the snapshot was read. One batch read.
    pub(crate) async fn is_membership_unchanged(
        &self,
        snapshot: &Snapshot,
        (image, tenant): (&ImageId, &TenantId),
    ) -> Result<bool, StoreError> {
        let current = self.snapshot(&[(image, tenant)], &[]).await?;
        let pair = (image.clone(), tenant.clone());
        Ok(current.revisions.get(&pair) == snapshot.revisions.get(&pair))
    }

    /// Adds the reads of a task that depend on the pairs read before: key grants, vaults and owner policies, in one
    /// batch read for every 100, or none; and the inboxes of recipients that have to decide, each from the cache or by
    /// a query. All in parallel. Another batch read follows if a policy names a vault for a full-ECS image.
    pub(crate) async fn read_extra(
        &self,
        snapshot: &mut Snapshot,
        task: &Task,
        pairs: &[Pair<'_>],
    ) -> Result<(), StoreError> {
        let extra = extra_reads(task, pairs.iter().copied(), &snapshot.input);
        let grants = extra.key_grants.iter().map(keys::key_grant);
        let policies = extra.owner_policies.iter().map(keys::owner_policy);
        let items: Vec<_> = grants.chain(extra.vaults.iter().map(keys::vault)).chain(policies).collect();
        let counts = stream::iter(extra.inboxes).map(|tenant| async move {
            let inbox = self.inbox(&tenant).await?;
            Ok::<_, StoreError>((tenant, inbox))
        });
        let counts = counts.buffer_unordered(MAX_CONCURRENT_COUNTS).try_collect::<Vec<_>>();
        let read = async { if items.is_empty() { Ok(Vec::new()) } else { self.read(items).await } };
        let (counts, found) = tokio::try_join!(counts, read)?;
        snapshot.input.inboxes.extend(counts);
        found.iter().try_for_each(|item| snapshot.add(item))?;
        if snapshot.input.owner_policies.is_empty() {
            return Ok(());
        }
        let policy_vaults = extra_reads(task, pairs.iter().copied(), &snapshot.input).vaults;
        let missing: Vec<_> = policy_vaults.difference(&extra.vaults).map(keys::vault).collect();
        if missing.is_empty() { Ok(()) } else { snapshot.load(self, missing).await }
    }

    /// Adds the owner policies that shares of pairs depend on: those of recipients that have any. One batch read for
    /// every 100, or none.
    pub(crate) async fn read_owner_policies(
        &self,
        snapshot: &mut Snapshot,
        pairs: &[Pair<'_>],
    ) -> Result<(), StoreError> {
        let policies = owner_policy_reads(pairs.iter().copied(), &snapshot.input);
        let keys: Vec<_> = policies.iter().map(keys::owner_policy).collect();
        if keys.is_empty() { Ok(()) } else { snapshot.load(self, keys).await }
    }
}

impl Snapshot {
    /// Returns the stamps that a request on these pairs and tenants must be above.
    pub(crate) fn stamps(&self) -> impl Iterator<Item = Stamp> {
        let memberships = self.input.memberships.values().map(Membership::newest_stamp);
        memberships.chain(self.input.tenants.values().filter_map(|tenant| tenant.last_queued))
    }

    /// Returns the update time of a membership after `change`. It is `now`, unless nothing changes that an API shows:
    /// then it is the former time, as in Glance, even if the stamps change.
    pub(crate) fn update_time(&self, change: &Change, now: Timestamp) -> Timestamp {
        let pair = (change.image.clone(), change.tenant.clone());
        let is_unchanged = match (self.input.memberships.get(&pair), &change.membership) {
            (Some(Membership::Active(before)), Membership::Active(after)) => {
                before.since == after.since
                    && before.status() == after.status()
                    && before.reservation == after.reservation
            }
            (before, after) => before == Some(after),
        };
        self.updated.get(&pair).copied().filter(|_| is_unchanged).unwrap_or(now)
    }

    /// Returns a tenant; one without an item has the default values.
    pub(crate) fn tenant(&self, id: &TenantId) -> Tenant {
        self.input.tenants.get(id).cloned().unwrap_or_default()
    }

    /// Returns the head of an image; `None` if the image is missing or deleted.
    pub(crate) fn image(&self, id: &ImageId) -> Option<Unauthorized<&ImageHead>> {
        self.input.images.get(id).map(Unauthorized::new)
    }

    /// Returns the owners of the images, in whose queues a request may have to wait. They need no authorization, since
    /// no caller sees them.
    pub(crate) fn image_owners(&self) -> BTreeSet<TenantId> {
        self.input.images.values().map(|head| head.owner.clone()).collect()
    }

    /// Returns the membership of a pair, if there is one.
    pub(crate) fn membership(&self, (image, tenant): Pair<'_>) -> Option<&Membership> {
        self.input.memberships.get(&(image.clone(), tenant.clone()))
    }

    /// Plans pairs of a job: see [`plan`].
    pub(crate) fn plan(&self, job: &Job, pairs: Range<usize>, rules: Rules<'_>) -> Plan {
        plan(job, pairs, &self.input, rules)
    }

    /// Plans pairs of a job that is only checked: see [`plan_dry_run`].
    pub(crate) fn plan_dry_run(&self, job: &Job, pairs: Range<usize>, rules: Rules<'_>) -> Plan {
        plan_dry_run(job, pairs, &self.input, rules)
    }

    /// Plans the failure of pairs of a job: see [`plan_failure`].
    pub(crate) fn plan_failure(&self, job: &Job, pairs: Range<usize>, rules: Rules<'_>) -> Plan {
        plan_failure(job, pairs, &self.input, rules)
    }

    /// Plans a change of an image's permissions: see [`plan_permissions`].
    ///
    /// # Errors
    /// [`ShareRefused`] if a rule does not allow a change; nothing is written then.
    pub(crate) fn plan_permissions(
        &self,
        image: &ImageHead,
        changes: &PermissionChange,
        at: Stamp,
        rules: Rules<'_>,
    ) -> Result<Plan, ShareRefused> {
        plan_permissions(image, changes, at, &self.input, rules)
    }

    async fn load(&mut self, store: &Store, keys: Vec<Key>) -> Result<(), StoreError> {
        self.loaded_tenants.extend(keys.iter().filter_map(keys::parse_tenant_key));
        for item in store.read(keys).await? {
            self.add(&item)?;
        }
        Ok(())
    }

    fn add(&mut self, item: &Item) -> Result<(), StoreError> {
        let input = &mut self.input;
        match SnapshotItem::parse(item::get_text(item, PK)?, item::get_text(item, SK)?) {
            Some(SnapshotItem::Membership) => {
                if let Some(read) = membership::parse(item)? {
                    let pair = (read.image, read.tenant);
                    self.revisions.insert(pair.clone(), read.revision);
                    self.updated.insert(pair.clone(), read.updated);
                    input.memberships.insert(pair, read.membership);
                }
            }
            Some(SnapshotItem::Image) => {
                input.images.extend(image::parse_head(item)?.map(|head| (head.id.clone(), head)));
            }
            Some(SnapshotItem::Tenant(id)) => {
                input.tenants.insert(id, tenant::parse(item)?);
            }
            Some(SnapshotItem::KeyGrant(grant)) => {
                input.key_grants.insert(grant);
            }
            Some(SnapshotItem::OwnerPolicy(key)) => {
                input.owner_policies.insert(key, owner_policy::parse(item)?);
            }
            Some(SnapshotItem::Vault(key)) => {
                input.vaults.insert(key, vault::parse(item)?);
            }
            None => return Err(StoreError::Unreadable(SK)),
        }
        Ok(())
    }
}
