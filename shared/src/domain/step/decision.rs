//! What is decided of a step: what becomes of its pairs, and what is to be written.

use std::collections::{HashMap, HashSet};

use super::known::Known;
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
    /// By how much the number of an owner's images that wait for a tenant's answer changes, by tenant and owner: that is
    /// counted, and not written.
    pub pending: HashMap<(TenantId, TenantId), i32>,
    /// By how many GiB what is reserved of each vault changes.
    pub reserved_gib: HashMap<VaultKey, i64>,
    /// The images that somebody receives by it: what their owners say of them must not have changed.
    pub offered: HashSet<ImageId>,
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

    /// By how much the number of images that wait for a tenant grows: of all owners, and of one.
    pub(super) fn pending_growth(&self, tenant: &TenantId, owner: &TenantId) -> (i64, i64) {
        let of_all = self.pending.iter().filter(|((waiting, _), _)| waiting == tenant);
        let of_owner = self.pending.get(&(tenant.clone(), owner.clone())).copied().unwrap_or_default();
        (of_all.map(|(_, growth)| i64::from(*growth)).sum(), of_owner.into())
    }

    pub(super) fn reserved_growth(&self, vault: &VaultKey) -> i64 {
        self.reserved_gib.get(vault).copied().unwrap_or_default()
    }

    /// How many items are written at the most.
    pub(super) fn items(&self) -> usize {
        self.changes.len()
            + self.members.len()
            + self.reserved_gib.len()
            + self.grants.len()
            + self.unchanged.len()
    }

    /// Adds what is done to one more pair.
    pub(super) fn add(&mut self, (image, tenant): (&ImageId, &TenantId), known: &Known, effect: Effect) {
        let current = known.membership(image, tenant);
        let owner = known.images.get(image).map(|head| &head.owner);
        let Some(becomes) = effect.becomes else { return };
        let stands = |membership: &Membership| membership.standing().is_some();
        let change =
            |is: fn(&Membership) -> bool| i32::from(is(&becomes)) - i32::from(current.is_some_and(is));
        let (members, pending) = (change(stands), change(Membership::is_pending));
        if effect.offers {
            self.offered.insert(image.clone());
        }
        if members != 0 || effect.offers {
            *self.members.entry(image.clone()).or_default() += members;
        }
        if let Some(owner) = owner.filter(|_| pending != 0) {
            *self.pending.entry((tenant.clone(), owner.clone())).or_default() += pending;
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
