//! What a decision is made from: the items of some pairs, with the revisions that must still be so when it is written.

use std::collections::{HashMap, HashSet};

use super::item::{self, Item};
use super::keys::{self, PK, SK, Subject};
use super::{Store, StoreError, images, memberships, vaults};
use crate::domain::{ImageId, Known, Task, Tenant, TenantId, Timestamp, needed};

/// What was read of some pairs.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) known: Known,
    pub(super) revisions: HashMap<(ImageId, TenantId), u64>,
    /// When the memberships were last changed.
    pub(super) updated: HashMap<(ImageId, TenantId), Timestamp>,
}

/// Whether a snapshot tells of the tenants themselves. Seldom does anything about them stand in the way, and what is written
/// says so when it does; so they are read only then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tenants {
    Unread,
    Read,
}

impl Store {
    /// Reads the heads of the images and the memberships of some pairs, in one round trip.
    pub(crate) async fn snapshot<'a>(
        &self,
        pairs: impl IntoIterator<Item = (&'a ImageId, &'a TenantId)>,
        tenants: Tenants,
    ) -> Result<Snapshot, StoreError> {
        let pairs: Vec<_> = pairs.into_iter().collect();
        let images: HashSet<_> = pairs.iter().map(|(image, _)| *image).collect();
        let mut wanted: Vec<_> = images.into_iter().map(keys::head).collect();
        wanted.extend(pairs.iter().map(|(image, tenant)| keys::membership(image, tenant)));
        let mut snapshot = Snapshot::default();
        if tenants == Tenants::Read {
            let ids: HashSet<_> = pairs.iter().map(|(_, tenant)| *tenant).collect();
            wanted.extend(ids.into_iter().map(keys::tenant));
            snapshot.known.tenants = Some(HashMap::new());
        }
        for item in self.read(wanted).await? {
            snapshot.add(&item)?;
        }
        Ok(snapshot)
    }

    /// Reads what a task on some pairs is decided from: in one round trip, and in one more where an image is encrypted or
    /// needs a vault.
    pub(crate) async fn snapshot_for<'a>(
        &self,
        task: &Task,
        pairs: impl IntoIterator<Item = (&'a ImageId, &'a TenantId)> + Clone,
        tenants: Tenants,
    ) -> Result<Snapshot, StoreError> {
        let mut snapshot = self.snapshot(pairs.clone(), tenants).await?;
        self.read_needed(&mut snapshot, task, pairs).await?;
        Ok(snapshot)
    }

    /// Whether the membership of a pair is still as it was read. One batch read.
    pub(crate) async fn is_unchanged(
        &self,
        read: &Snapshot,
        (image, tenant): (&ImageId, &TenantId),
    ) -> Result<bool, StoreError> {
        let again = self.snapshot([(image, tenant)], Tenants::Unread).await?;
        let pair = (image.clone(), tenant.clone());
        Ok(again.revisions.get(&pair) == read.revisions.get(&pair))
    }

    /// Reads what a task on pairs that were read is decided from besides: nothing, or in one round trip.
    pub(crate) async fn read_needed<'a>(
        &self,
        snapshot: &mut Snapshot,
        task: &Task,
        pairs: impl IntoIterator<Item = (&'a ImageId, &'a TenantId)>,
    ) -> Result<(), StoreError> {
        let needed = needed(task, pairs, &snapshot.known);
        if needed.is_empty() {
            return Ok(());
        }
        let grants = needed.grants.iter().map(keys::key_grant);
        for item in self.read(grants.chain(needed.vaults.iter().map(keys::vault)).collect()).await? {
            snapshot.add(&item)?;
        }
        Ok(())
    }
}

impl Snapshot {
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
                known.tenants.get_or_insert_default().insert(id, tenant(item)?);
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

/// What is kept of a tenant besides the number of its images.
fn tenant(item: &Item) -> Result<Tenant, StoreError> {
    let region = item.contains_key("region").then(|| item::get_text(item, "region").map(str::to_owned));
    Ok(Tenant {
        region: region.transpose()?,
        pending: item::find_number(item, super::decided::PENDING)?.unwrap_or_default(),
    })
}
