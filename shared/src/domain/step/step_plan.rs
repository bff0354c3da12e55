//! The plan of a step: the outcomes of its pairs, the writes, and their guards.

use std::collections::HashMap;

use super::guard::{Guard, Guards};
use super::step_input::StepInput;
use crate::domain::{ImageId, Membership, Outcome, Reservation, TenantId, Transition, VaultKey};

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

/// The plan of a step. Its writes are made in one transaction, all or none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The outcomes of the pairs, in their order.
    pub outcomes: Vec<Outcome>,
    /// The transitions of the pairs; `None` for a pair that is not as requested.
    pub transitions: Vec<Option<Transition>>,
    /// The memberships that change.
    pub changes: Vec<Change>,
    /// The change of each image's member count.
    pub member_deltas: HashMap<ImageId, i32>,
    /// The change of the number of an owner's images that are pending for a tenant, by tenant and owner. That number
    /// is counted from an index, and not written.
    pub pending_deltas: HashMap<(TenantId, TenantId), i32>,
    /// The change of each vault's reserved capacity, in GiB.
    pub reserved_gib_deltas: HashMap<VaultKey, i64>,
    /// What must still be true when the plan is committed.
    pub guards: Guards,
}

/// The plan for one pair.
#[derive(Debug, Default)]
pub(super) struct PairPlan {
    /// The new membership; `None` if it stays.
    pub(super) membership: Option<Membership>,
    /// What must still be true when the plan is committed.
    pub(super) guards: Guards,
}

impl PairPlan {
    /// The plan to write a membership under those guards. If nothing is written, there is no guard: the pair is as
    /// the request wants it, or a later request has changed it, and that was true when it was read.
    pub(super) fn of_change(
        (image, tenant): (&ImageId, &TenantId),
        membership: Option<Membership>,
        input: &StepInput,
        guards: impl IntoIterator<Item = Guard>,
    ) -> Self {
        let Some(next) = membership else { return Self::default() };
        let mut all = Guards::default();
        all.insert(Guard::MembershipUnchanged { image: image.clone(), tenant: tenant.clone() });
        all.extend(guards);
        let current = input.membership(image, tenant);
        // A deleted image has no member count any more, and is never restored.
        if member_delta(current, &next) != 0 && input.images.contains_key(image) {
            all.insert(Guard::ImageExists(image.clone()));
        }
        let reservations = reservation_change(current, &next).into_iter().flatten();
        for Reservation { vault, .. } in reservations.filter(|reservation| reservation.gib != 0) {
            all.insert(Guard::VaultExists((tenant.clone(), vault.clone())));
        }
        Self { membership: Some(next), guards: all }
    }
}

impl Plan {
    pub(super) fn member_delta(&self, image: &ImageId) -> i32 {
        self.member_deltas.get(image).copied().unwrap_or_default()
    }

    /// The change of the number of images that are pending for a tenant: from all owners, and from one.
    pub(super) fn pending_delta(&self, tenant: &TenantId, owner: &TenantId) -> (i64, i64) {
        let of_all = self.pending_deltas.iter().filter(|((recipient, _), _)| recipient == tenant);
        let of_owner = self.pending_deltas.get(&(tenant.clone(), owner.clone())).copied().unwrap_or_default();
        (of_all.map(|(_, delta)| i64::from(*delta)).sum(), of_owner.into())
    }

    pub(super) fn reserved_gib_delta(&self, vault: &VaultKey) -> i64 {
        self.reserved_gib_deltas.get(vault).copied().unwrap_or_default()
    }

    /// The number of items that its transaction writes or checks.
    pub fn item_count(&self) -> usize {
        self.guards.item_count()
    }

    /// The number of items with the plan for one more pair.
    pub(super) fn item_count_with(&self, pair: &PairPlan) -> usize {
        self.guards.item_count_with(&pair.guards)
    }

    /// Adds the plan for one more pair.
    pub(super) fn add_pair(
        &mut self,
        (image, tenant): (&ImageId, &TenantId),
        input: &StepInput,
        pair: PairPlan,
    ) {
        self.guards.extend(pair.guards);
        let Some(next) = pair.membership else { return };
        let current = input.membership(image, tenant);
        let members = member_delta(current, &next);
        if members != 0 {
            *self.member_deltas.entry(image.clone()).or_default() += members;
        }
        let pending = delta(current, &next, Membership::is_pending);
        let owner = input.images.get(image).map(|head| &head.owner);
        if let Some(owner) = owner.filter(|_| pending != 0) {
            *self.pending_deltas.entry((tenant.clone(), owner.clone())).or_default() += pending;
        }
        let [released, reserved] = reservation_change(current, &next);
        self.add_reservation(tenant, released, -1);
        self.add_reservation(tenant, reserved, 1);
        self.changes.push(Change { image: image.clone(), tenant: tenant.clone(), membership: next });
    }

    fn add_reservation(&mut self, tenant: &TenantId, reservation: Option<&Reservation>, sign: i64) {
        let Some(Reservation { vault, gib }) = reservation else { return };
        let gib = sign * i64::try_from(*gib).unwrap_or(i64::MAX);
        *self.reserved_gib_deltas.entry((tenant.clone(), vault.clone())).or_default() += gib;
    }
}

fn delta(current: Option<&Membership>, next: &Membership, is: fn(&Membership) -> bool) -> i32 {
    i32::from(is(next)) - i32::from(current.is_some_and(is))
}

fn member_delta(current: Option<&Membership>, next: &Membership) -> i32 {
    delta(current, next, |membership| membership.active().is_some())
}

/// The reservation that is released and the one that replaces it; both `None` if nothing changes.
fn reservation_change<'a>(
    current: Option<&'a Membership>,
    next: &'a Membership,
) -> [Option<&'a Reservation>; 2] {
    let change = [current.and_then(Membership::reservation), next.reservation()];
    if change[0] == change[1] { [None, None] } else { change }
}
