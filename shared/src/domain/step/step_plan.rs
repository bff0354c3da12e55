//! What is decided of a step: what becomes of its pairs, and what is to be written.

use std::collections::{HashMap, HashSet};

use super::pair::Effect;
use super::step_input::StepInput;
use crate::domain::{ImageId, KeyGrant, Membership, Outcome, Reservation, TenantId, VaultKey};

/// A membership to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The image.
    pub image: ImageId,
    /// The tenant.
    pub tenant: TenantId,
    /// What the membership becomes.
    pub membership: Membership,
}

/// What becomes of a step's pairs. All that it says is written together, or none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// One for each pair, in their order.
    pub outcomes: Vec<Outcome>,
    /// The memberships that change.
    pub changes: Vec<Change>,
    /// By how much each image's number of members changes.
    pub member_deltas: HashMap<ImageId, i32>,
    /// By how much the number of an owner's images that wait for a tenant's answer changes, by tenant and owner: that is
    /// counted, and not written.
    pub pending_deltas: HashMap<(TenantId, TenantId), i32>,
    /// By how many GiB what is reserved of each vault changes.
    pub reserved_gib_deltas: HashMap<VaultKey, i64>,
    /// The images that somebody receives by it: what their owners say of them must not have changed.
    pub offered_images: HashSet<ImageId>,
    /// The grants that it relies on.
    pub key_grants: HashSet<KeyGrant>,
    /// The pairs that fail by what may have been read after their memberships, which must still be so: else a vault might be
    /// called full by the very image that another worker has accepted into it meanwhile, or an image by that very member.
    pub unchanged_pairs: HashSet<(ImageId, TenantId)>,
}

impl Plan {
    pub(super) fn member_delta(&self, image: &ImageId) -> i32 {
        self.member_deltas.get(image).copied().unwrap_or_default()
    }

    /// By how much the number of images that wait for a tenant grows: of all owners, and of one.
    pub(super) fn pending_delta(&self, tenant: &TenantId, owner: &TenantId) -> (i64, i64) {
        let of_all = self.pending_deltas.iter().filter(|((waiting, _), _)| waiting == tenant);
        let of_owner = self.pending_deltas.get(&(tenant.clone(), owner.clone())).copied().unwrap_or_default();
        (of_all.map(|(_, growth)| i64::from(*growth)).sum(), of_owner.into())
    }

    pub(super) fn reserved_gib_delta(&self, vault: &VaultKey) -> i64 {
        self.reserved_gib_deltas.get(vault).copied().unwrap_or_default()
    }

    /// How many items are written at the most.
    pub(super) fn item_count(&self) -> usize {
        self.changes.len()
            + self.member_deltas.len()
            + self.reserved_gib_deltas.len()
            + self.key_grants.len()
            + self.unchanged_pairs.len()
    }

    /// Adds what is done to one more pair.
    pub(super) fn add_effect(
        &mut self,
        (image, tenant): (&ImageId, &TenantId),
        known: &StepInput,
        effect: Effect,
    ) {
        let current = known.membership(image, tenant);
        let owner = known.images.get(image).map(|head| &head.owner);
        let Some(becomes) = effect.membership else { return };
        let stands = |membership: &Membership| membership.active().is_some();
        let change =
            |is: fn(&Membership) -> bool| i32::from(is(&becomes)) - i32::from(current.is_some_and(is));
        let (members, pending) = (change(stands), change(Membership::is_pending));
        if effect.offers_image {
            self.offered_images.insert(image.clone());
        }
        if members != 0 || effect.offers_image {
            *self.member_deltas.entry(image.clone()).or_default() += members;
        }
        if let Some(owner) = owner.filter(|_| pending != 0) {
            *self.pending_deltas.entry((tenant.clone(), owner.clone())).or_default() += pending;
        }
        let (before, after) = (current.and_then(Membership::reservation), becomes.reservation());
        if before != after {
            self.add_reservation(tenant, before, -1);
            self.add_reservation(tenant, after, 1);
        }
        self.key_grants.extend(effect.key_grant);
        self.changes.push(Change { image: image.clone(), tenant: tenant.clone(), membership: becomes });
    }

    fn add_reservation(&mut self, tenant: &TenantId, what: Option<&Reservation>, sign: i64) {
        let Some(Reservation { vault, gib }) = what else { return };
        let gib = sign * i64::try_from(*gib).unwrap_or(i64::MAX);
        *self.reserved_gib_deltas.entry((tenant.clone(), vault.clone())).or_default() += gib;
    }
}
