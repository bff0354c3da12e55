//! What is decided of a step: what becomes of its pairs, and what is to be written.

use std::collections::{HashMap, HashSet};

use super::pair::Effect;
use crate::domain::{ImageId, KeyGrant, Membership, Outcome, Reservation, TenantId, VaultKey};

/// A membership to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The image.
    pub image: ImageId,
    /// The tenant.
    pub tenant: TenantId,
    /// What the membership becomes.
    pub becomes: Membership,
}

/// What becomes of a step's pairs. All that it says is written together, or none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// One for each pair, in their order.
    pub outcomes: Vec<Outcome>,
    /// The memberships that change.
    pub changes: Vec<Change>,
    /// By how much each image's number of members changes.
    pub members: HashMap<ImageId, i32>,
    /// By how much the number of images that wait for each tenant's answer changes.
    pub pending: HashMap<TenantId, i32>,
    /// By how many GiB what is reserved of each vault changes.
    pub reserved_gib: HashMap<VaultKey, i64>,
    /// The images that somebody receives by it: what their owners say of them must not have changed.
    pub offered: HashSet<ImageId>,
    /// The tenants that receive an image by it: they must be of this region.
    pub receiving: HashSet<TenantId>,
    /// The tenants that are asked for an answer by it: they must have room for that. What a late unshare resets to waiting
    /// needs none, since an unshare is never refused.
    pub asked: HashSet<TenantId>,
    /// The grants that it relies on.
    pub grants: HashSet<KeyGrant>,
    /// The pairs that fail by what may have been read after their memberships, which must still be so: else a vault might be
    /// called full by the very image that another worker has accepted into it meanwhile, or an image by that very member.
    pub unchanged: HashSet<(ImageId, TenantId)>,
}

impl Decision {
    pub(super) fn members_growth(&self, image: &ImageId) -> i32 {
        self.members.get(image).copied().unwrap_or_default()
    }

    pub(super) fn pending_growth(&self, tenant: &TenantId) -> i32 {
        self.pending.get(tenant).copied().unwrap_or_default()
    }

    pub(super) fn reserved_growth(&self, vault: &VaultKey) -> i64 {
        self.reserved_gib.get(vault).copied().unwrap_or_default()
    }

    /// How many items are written at the most.
    pub(super) fn items(&self) -> usize {
        self.changes.len()
            + self.members.len()
            + self.pending.keys().chain(&self.receiving).collect::<HashSet<_>>().len()
            + self.reserved_gib.len()
            + self.grants.len()
            + self.unchanged.len()
    }

    /// Adds what is done to one more pair, whose membership was `current`.
    pub(super) fn add(
        &mut self,
        (image, tenant): (&ImageId, &TenantId),
        current: Option<&Membership>,
        effect: Effect,
    ) {
        let Some(becomes) = effect.becomes else { return };
        let stands = |membership: &Membership| membership.standing().is_some();
        let change =
            |is: fn(&Membership) -> bool| i32::from(is(&becomes)) - i32::from(current.is_some_and(is));
        let (members, pending) = (change(stands), change(Membership::is_pending));
        if effect.offers {
            self.offered.insert(image.clone());
        }
        if effect.receives {
            self.receiving.insert(tenant.clone());
        }
        if effect.asks {
            self.asked.insert(tenant.clone());
        }
        if members != 0 || effect.offers {
            *self.members.entry(image.clone()).or_default() += members;
        }
        if pending != 0 {
            *self.pending.entry(tenant.clone()).or_default() += pending;
        }
        let (before, after) = (current.and_then(Membership::reserved), becomes.reserved());
        if before != after {
            self.reserve(tenant, before, -1);
            self.reserve(tenant, after, 1);
        }
        self.grants.extend(effect.grant);
        self.changes.push(Change { image: image.clone(), tenant: tenant.clone(), becomes });
    }

    fn reserve(&mut self, tenant: &TenantId, what: Option<&Reservation>, sign: i64) {
        let Some(Reservation { vault, gib }) = what else { return };
        let gib = sign * i64::try_from(*gib).unwrap_or(i64::MAX);
        *self.reserved_gib.entry((tenant.clone(), vault.clone())).or_default() += gib;
    }
}
