//! A recipient may trust an owner, whose shares it then accepts at once, or block it, whose shares then fail (seed 002,
//! `contract/decisions.md` 34). Memberships that exist stay as they are.

use crate::domain::step::guard::Guard;
use crate::domain::step::pair::{Case, Pair, Subject};
use crate::domain::step::step_input::{ExtraRead, StepInput};
use crate::domain::step::verdict::{Unguarded, Verdict, violation};
use crate::domain::{
    AcceptedBy, ImageHead, ImageKind, Membership, Outcome, OwnerPolicy, OwnerPolicyKey, Policy, Stamp,
    Status, Task, TenantId, VaultId,
};

/// The recipient's policy on the owner, if the recipient has any policies: its own item says so, which is read with the
/// pair. One more item of the batch read.
pub(super) fn extra_read(subject: &Subject<'_>) -> Option<ExtraRead> {
    match subject.task {
        Task::Share => {
            relevant_policy(subject.image, subject.tenant, subject.input).map(ExtraRead::OwnerPolicy)
        }
        Task::Unshare
        | Task::Refresh
        | Task::Respond { .. }
        | Task::RespondToAll { .. }
        | Task::RespondToOwners { .. } => None,
    }
}

/// The policy that a share of the image with the tenant depends on; `None` if the tenant has none at all.
pub(super) fn relevant_policy(
    image: &ImageHead,
    tenant: &TenantId,
    input: &StepInput,
) -> Option<OwnerPolicyKey> {
    let has_policies = input.tenants.get(tenant).is_some_and(|tenant| tenant.owner_policies > 0);
    has_policies.then(|| policy_key(image, tenant))
}

fn policy_key(image: &ImageHead, tenant: &TenantId) -> OwnerPolicyKey {
    OwnerPolicyKey { recipient: tenant.clone(), owner: image.owner.clone() }
}

/// An acceptance needs the policy as it was read: no share is accepted by a policy that its recipient has withdrawn.
///
/// Nothing else does. A policy that is set between the read and the commit leaves the membership, as it leaves those
/// that were there before. So a share with a recipient that has no policies costs no further item.
///
/// A failure rests on the membership, too, which is read earlier: a member stays a member after its owner is blocked.
pub(super) fn check(case: &Case<'_>) -> Verdict {
    let (pair, image) = (case.pair, case.image()?);
    let policy = policy_key(image, pair.tenant);
    match pair.input.owner_policies.get(&policy) {
        Some(OwnerPolicy { policy: Policy::Blocked, .. }) => {
            violation(Outcome::OwnerBlocked, pair.membership_unchanged())
        }
        Some(OwnerPolicy { policy: Policy::Trusted { .. }, revision }) if is_accepted_by_policy(case) => {
            Ok(Guard::OwnerPolicyUnchanged { policy, revision: *revision }.into())
        }
        Some(OwnerPolicy { policy: Policy::Trusted { .. }, .. }) | None => {
            Ok(Unguarded::ChangeMayFollow.into())
        }
    }
}

/// Whether the request itself is a share that a policy accepts.
fn is_accepted_by_policy(case: &Case<'_>) -> bool {
    let next = case.next.and_then(Membership::active);
    next.is_some_and(|next| next.accepted_by.is_some() && next.auto_accepted == Some(case.stamp))
}

/// The membership that a share of the pair results in if the recipient trusts the owner, and the vault in which capacity
/// is to be reserved for it. `None` if it does not, or if the policy has no vault with room for a full-ECS image: then
/// the share is pending.
///
/// A full-ECS image that the recipient has rejected, or accepted into another vault, is shared as without the policy.
pub(in crate::domain::step) fn trusted_share<'a>(
    pair: &Pair<'a>,
    stamp: Stamp,
) -> Option<(Membership, Option<&'a VaultId>)> {
    let image = pair.image_head()?;
    let policy = &pair.input.owner_policies.get(&policy_key(image, pair.tenant))?.policy;
    let Policy::Trusted { vault } = policy else { return None };
    let next = Membership::share_accepted_by(pair.current(), stamp, AcceptedBy::TrustedOwner)?;
    let ImageKind::FullEcs { backup_gib, .. } = image.spec.kind else { return Some((next, None)) };
    let vault = vault.as_ref()?;
    if let Some(held) = next.reservation() {
        return (held.vault == *vault).then_some((next, None));
    }
    let key = (pair.tenant.clone(), vault.clone());
    let delta = pair.plan_so_far.reserved_gib_delta(&key);
    pair.input.vaults.get(&key)?.check_capacity(backup_gib, delta).ok()?;
    (next.status() == Some(Status::Accepted)).then_some((next, Some(vault)))
}
