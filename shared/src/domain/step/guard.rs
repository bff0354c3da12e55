//! Guards: what must still be true when a plan is committed.
//!
//! A plan is made from a snapshot, and the table may change before the plan's transaction. Each rule returns the
//! guards that its verdict rests on. The store turns each guard into a condition of that transaction, and merges those
//! on one item into the item's only write. A plan writes no item without a guard on it, so the items of its guards are
//! the items of its transaction.

use std::collections::HashMap;

use crate::domain::{ImageId, KeyGrant, OwnerPolicyKey, Stamp, TenantId, VaultKey};

/// A condition of a plan's commit. If it does not hold, the commit is a conflict: nothing is written, and the step is
/// planned again from a new snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guard {
    /// The membership is as it was read: the same revision, or still absent.
    MembershipUnchanged {
        /// The image.
        image: ImageId,
        /// The tenant.
        tenant: TenantId,
    },
    /// The image is not deleted.
    ImageExists(ImageId),
    /// The owner has not changed the image since that revision.
    ImageUnchanged {
        /// The image.
        image: ImageId,
        /// The revision that was read.
        revision: u64,
    },
    /// With the members that the plan adds, the image has at most `limit`.
    MemberLimit {
        /// The image.
        image: ImageId,
        /// The recipient limit.
        limit: u32,
    },
    /// The key grant exists.
    KeyGrantExists(KeyGrant),
    /// The recipient has neither changed nor removed its policy on the owner since that revision.
    OwnerPolicyUnchanged {
        /// The recipient and the owner.
        policy: OwnerPolicyKey,
        /// The revision that was read.
        revision: Stamp,
    },
    /// The vault is not deleted.
    VaultExists(VaultKey),
    /// The vault's owner has not changed it since that revision, and with the reservations that the plan adds, at most
    /// its capacity is reserved.
    VaultRoom {
        /// The vault.
        vault: VaultKey,
        /// The revision that was read.
        revision: Stamp,
        /// The capacity that was read.
        capacity_gib: u32,
    },
}

/// An item of the table that a plan writes or checks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PlanItem {
    /// The membership of a tenant.
    Membership(ImageId, TenantId),
    /// The head of an image, with its member count.
    ImageHead(ImageId),
    /// A key grant.
    KeyGrant(KeyGrant),
    /// A recipient's policy on an owner.
    OwnerPolicy(OwnerPolicyKey),
    /// A vault, with its reserved capacity.
    Vault(VaultKey),
}

impl Guard {
    /// The item that the condition is about.
    pub fn item(&self) -> PlanItem {
        match self {
            Self::MembershipUnchanged { image, tenant } => {
                PlanItem::Membership(image.clone(), tenant.clone())
            }
            Self::ImageExists(image)
            | Self::ImageUnchanged { image, .. }
            | Self::MemberLimit { image, .. } => PlanItem::ImageHead(image.clone()),
            Self::KeyGrantExists(grant) => PlanItem::KeyGrant(grant.clone()),
            Self::OwnerPolicyUnchanged { policy, .. } => PlanItem::OwnerPolicy(policy.clone()),
            Self::VaultExists(vault) | Self::VaultRoom { vault, .. } => PlanItem::Vault(vault.clone()),
        }
    }
}

/// The guards of a plan, by item.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Guards(HashMap<PlanItem, Vec<Guard>>);

impl Guards {
    /// Adds a guard, unless it is there already.
    pub(super) fn insert(&mut self, guard: Guard) {
        let guards = self.0.entry(guard.item()).or_default();
        if !guards.contains(&guard) {
            guards.push(guard);
        }
    }

    /// The items, each with its guards.
    pub fn by_item(&self) -> impl Iterator<Item = (&PlanItem, &[Guard])> {
        self.0.iter().map(|(item, guards)| (item, guards.as_slice()))
    }

    /// Whether that guard is among them.
    pub fn contains(&self, guard: &Guard) -> bool {
        self.0.get(&guard.item()).is_some_and(|guards| guards.contains(guard))
    }

    /// The number of items.
    pub fn item_count(&self) -> usize {
        self.0.len()
    }

    /// The number of items with those guards added.
    pub(super) fn item_count_with(&self, others: &Self) -> usize {
        self.0.len() + others.0.keys().filter(|item| !self.0.contains_key(item)).count()
    }
}

impl Extend<Guard> for Guards {
    fn extend<T: IntoIterator<Item = Guard>>(&mut self, guards: T) {
        for guard in guards {
            self.insert(guard);
        }
    }
}

impl IntoIterator for Guards {
    type Item = Guard;
    type IntoIter = std::iter::Flatten<std::collections::hash_map::IntoValues<PlanItem, Vec<Guard>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_values().flatten()
    }
}

impl FromIterator<Guard> for Guards {
    fn from_iter<T: IntoIterator<Item = Guard>>(guards: T) -> Self {
        let mut all = Self::default();
        all.extend(guards);
        all
    }
}
