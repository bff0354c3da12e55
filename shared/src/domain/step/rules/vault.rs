//! A full-ECS image is accepted into a vault of its recipient that is for backups, is available, and has room for the
//! image's backups (seed 001, `contract/decisions.md` 15). The reserved capacity is exact: it is an attribute of the
//! vault, written in the transactions that write memberships.

use crate::domain::step::guard::Guard;
use crate::domain::step::pair::{Case, Subject};
use crate::domain::step::step_input::ExtraRead;
use crate::domain::step::verdict::{Verdict, violation};
use crate::domain::{ImageKind, Membership, Outcome, OwnerPolicyKey, Reservation, Status, Task, VaultId};

/// The vault that an acceptance names, one more item of the batch read; or that of a policy by which a share is accepted,
/// once the policy is read.
pub(super) fn extra_read(subject: &Subject<'_>) -> Option<ExtraRead> {
    if !matches!(subject.image.spec.kind, ImageKind::FullEcs { .. }) {
        return None;
    }
    let vault = match subject.task {
        Task::Respond { status: Status::Accepted, vault }
        | Task::RespondToAll { status: Status::Accepted, vault, .. }
        | Task::RespondToOwners { status: Status::Accepted, vault, .. } => vault.as_ref(),
        Task::Share => policy_vault(subject),
        Task::Respond { .. }
        | Task::RespondToAll { .. }
        | Task::RespondToOwners { .. }
        | Task::Unshare
        | Task::Refresh => None,
    };
    vault.map(|vault| ExtraRead::Vault((subject.tenant.clone(), vault.clone())))
}

/// The vault that the recipient's policy on the owner names, if the policy is read.
fn policy_vault<'a>(subject: &Subject<'a>) -> Option<&'a VaultId> {
    let (recipient, owner) = (subject.tenant.clone(), subject.image.owner.clone());
    subject.input.owner_policies.get(&OwnerPolicyKey { recipient, owner })?.policy.vault()
}

/// An image's kind does not change while it has members, so a guard on the membership covers it.
///
/// A failure rests on the membership, too, which is read earlier: a vault must not be full because of the very image
/// that another worker has accepted into it meanwhile.
pub(super) fn check(case: &Case<'_>) -> Verdict {
    let pair = case.pair;
    let is_full_ecs = matches!(case.image()?.spec.kind, ImageKind::FullEcs { .. });
    let is_accepted = case.next.and_then(Membership::status) == Some(Status::Accepted);
    let holds_a_reservation = pair.current().is_some_and(|current| current.reservation().is_some());
    let Some(Reservation { vault, gib }) = new_reservation(case) else {
        return if is_full_ecs && is_accepted && !holds_a_reservation {
            violation(Outcome::NoVault, pair.membership_unchanged())
        } else {
            Ok(pair.membership_unchanged().into())
        };
    };
    let key = (pair.tenant.clone(), vault);
    let Some(vault) = pair.input.vaults.get(&key) else {
        return violation(Outcome::NoVault, pair.membership_unchanged());
    };
    match vault.check_capacity(gib, pair.plan_so_far.reserved_gib_delta(&key)) {
        Ok(()) => {
            let (revision, capacity_gib) = (vault.revision, vault.details.capacity_gib);
            Ok(Guard::VaultRoom { vault: key, revision, capacity_gib }.into())
        }
        Err(outcome) => violation(outcome, pair.membership_unchanged()),
    }
}

/// The reservation that an acceptance makes: that of a full-ECS image which is accepted into the vault that the request
/// or the policy names, unless its reservation is there already.
pub(in crate::domain::step) fn new_reservation(case: &Case<'_>) -> Option<Reservation> {
    let ImageKind::FullEcs { backup_gib: gib, .. } = case.pair.image_head()?.spec.kind else { return None };
    case.next.filter(|next| next.status() == Some(Status::Accepted))?;
    let vault = case.vault?;
    let held = case.pair.current().and_then(Membership::reservation);
    let is_held = held.is_some_and(|held| held.vault == *vault);
    (!is_held).then(|| Reservation { vault: vault.clone(), gib })
}
