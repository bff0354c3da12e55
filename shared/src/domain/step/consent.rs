//! The plan for a pair: the rules of a request that it has to satisfy, in order, and the membership that results.
//!
//! The end of a membership releases the vault capacity that was reserved when a full-ECS image was accepted. So,
//! unlike other images, such an image does not begin as accepted by a decision that came before the share: it is
//! pending, as if there had been no decision, until it is accepted into a vault again. Nor is it accepted by an earlier
//! acceptance of its owner's shares, unless its capacity is still reserved.

use super::guard::Guards;
use super::pair::{Case, Pair};
use super::rules::{Rule, new_reservation, trusted_share};
use super::step_plan::PairPlan;
use super::verdict::Violation;
use crate::domain::{
    Ended, ImageHead, ImageKind, Membership, Outcome, Stamp, Status, Task, Transition, VaultId,
};

/// Plans a task on one pair. Returns the pair's outcome and transition, and what is written; a pair that violates a
/// rule writes nothing.
pub(super) fn plan_pair(
    pair: &Pair<'_>,
    task: &Task,
    stamp: Stamp,
) -> (Outcome, Option<Transition>, PairPlan) {
    match apply(pair, task, stamp) {
        Ok(plan) => match outcome(pair, task, &plan) {
            Outcome::Done => (Outcome::Done, transition(pair, task, &plan), plan),
            other => (other, None, plan),
        },
        Err(Violation { outcome, basis }) => {
            (outcome, None, PairPlan { membership: None, guards: basis.into_guards().into_iter().collect() })
        }
    }
}

fn apply(pair: &Pair<'_>, task: &Task, stamp: Stamp) -> Result<PairPlan, Violation> {
    match task {
        Task::Unshare => Ok(unshare(pair, stamp)),
        Task::Refresh => {
            let rewritten = pair.active_membership().cloned().filter(|_| pair.image_head().is_some());
            Ok(change(pair, rewritten, Guards::default()))
        }
        Task::Share => share_with_consent(pair, stamp),
        Task::Respond { status, vault }
        | Task::RespondToAll { status, vault, .. }
        | Task::RespondToOwners { status, vault, .. } => decide(pair, *status, vault.as_ref(), stamp),
    }
}

/// Plans an unshare, to which no rule applies.
pub(super) fn unshare(pair: &Pair<'_>, stamp: Stamp) -> PairPlan {
    let membership = match pair.image_head() {
        Some(image) => {
            let membership = Membership::unshare(pair.current(), stamp);
            membership.map(|membership| pending_unless_reserved(image, membership))
        }
        // A later request may have shared the image again before it was deleted.
        None => Membership::unshare_deleted_image(pair.current(), stamp),
    };
    change(pair, membership, Guards::default())
}

/// What a share results in.
struct Share<'a> {
    /// The membership; `None` if nothing changes.
    next: Option<Membership>,
    /// The vault in which capacity is to be reserved for it.
    vault: Option<&'a VaultId>,
    /// The status of the membership if the recipient had no policy on the owner.
    status_without_policy: Option<Status>,
}

/// Plans a share that its recipient has to accept, or has accepted in advance by a policy on the owner.
fn share_with_consent(pair: &Pair<'_>, stamp: Stamp) -> Result<PairPlan, Violation> {
    let next = begin(pair, Membership::share(pair.current(), stamp));
    let status_without_policy = next.as_ref().or(pair.current()).and_then(Membership::status);
    // A share that changes nothing without a policy changes nothing by it.
    let (next, vault) = match next.as_ref().and_then(|_| trusted_share(pair, stamp)) {
        Some((accepted, vault)) => (Some(accepted), vault),
        None => (next, None),
    };
    share(pair, stamp, Share { next, vault, status_without_policy }, &[])
}

/// Plans a share that needs no consent (`contract/decisions.md` 11).
///
/// # Errors
/// The first violation.
pub(super) fn share_auto_accepted(pair: &Pair<'_>, stamp: Stamp) -> Result<PairPlan, Violation> {
    let next = begin(pair, Membership::share_auto_accepted(pair.current(), stamp));
    let status_without_policy = next.as_ref().or(pair.current()).and_then(Membership::status);
    share(pair, stamp, Share { next, vault: None, status_without_policy }, &[Rule::AutoAccept])
}

/// The membership with which the share of a pair begins; `None` if the share changes nothing, or the image is deleted.
fn begin(pair: &Pair<'_>, membership: Option<Membership>) -> Option<Membership> {
    membership.zip(pair.image_head()).map(|(membership, image)| pending_unless_reserved(image, membership))
}

/// Plans a share. The rules in `first` are checked before those of every share.
fn share(pair: &Pair<'_>, stamp: Stamp, share: Share<'_>, first: &[Rule]) -> Result<PairPlan, Violation> {
    let current = pair.current();
    let Share { next, vault, status_without_policy } = share;
    let case = Case { pair, stamp, next: next.as_ref().or(current), vault };
    let mut guards = check(&case, first)?;
    guards.extend(check(&case, &[Rule::ImageExists, Rule::Shareable])?);
    let Some(next) = &next else { return Ok(PairPlan::default()) };
    guards.extend(check(&case, &[Rule::MemberLimit])?);
    match check(&case, &[Rule::KeyGrant, Rule::Region, Rule::OwnerPolicy]) {
        Ok(more) => guards.extend(more),
        // A member stays a member (decision 6). But the share is not stored: after an earlier unshare that is executed
        // later, the membership would begin again with it.
        Err(_) if current.and_then(Membership::status) == status_without_policy => {
            return Ok(PairPlan::default());
        }
        Err(violation) => return Err(violation),
    }
    guards.extend(check(&case, &[Rule::PendingLimit, Rule::Vault])?);
    Ok(change(pair, Some(with_new_reservation(&case, next)), guards))
}

/// Plans a recipient's decision. Membership is checked first: a stranger must not learn from the outcome whether the
/// image exists.
fn decide(
    pair: &Pair<'_>,
    status: Status,
    vault: Option<&VaultId>,
    stamp: Stamp,
) -> Result<PairPlan, Violation> {
    let decided = Membership::decide(pair.current(), stamp, status);
    let next = decided.as_ref().ok().and_then(|change| change.as_ref().or(pair.current()));
    let case = Case { pair, stamp, next, vault };
    let mut guards = check(&case, &[Rule::ActiveMember, Rule::ImageExists])?;
    if status == Status::Accepted {
        guards.extend(check(&case, &[Rule::NotHidden])?);
    }
    let Ok(Some(next)) = &decided else { return Ok(PairPlan::default()) };
    guards.extend(check(&case, &[Rule::PendingLimit, Rule::Vault])?);
    Ok(change(pair, Some(with_new_reservation(&case, next)), guards))
}

/// The membership with the reservation that the request makes, if it makes one.
fn with_new_reservation(case: &Case<'_>, next: &Membership) -> Membership {
    match new_reservation(case) {
        Some(reservation) => next.clone().with_reservation(reservation),
        None => next.clone(),
    }
}

/// Checks rules in order. Returns the guards that they rest on.
///
/// # Errors
/// The first violation.
fn check(case: &Case<'_>, rules: &[Rule]) -> Result<Guards, Violation> {
    let mut guards = Guards::default();
    for rule in rules {
        guards.extend(rule.check(case)?.into_guards());
    }
    Ok(guards)
}

fn change(pair: &Pair<'_>, membership: Option<Membership>, guards: Guards) -> PairPlan {
    PairPlan::of_change((pair.image, pair.tenant), membership, pair.input, guards)
}

/// The outcome of a task with that plan for the pair: done if the pair is then as the task wants it, superseded if a
/// later request wants it otherwise.
fn outcome(pair: &Pair<'_>, task: &Task, plan: &PairPlan) -> Outcome {
    let after = plan.membership.as_ref().or(pair.current());
    let status = after.and_then(Membership::status);
    let is_as_wanted = match task {
        Task::Share => status.is_some(),
        Task::Unshare => status.is_none(),
        Task::Refresh => true,
        Task::Respond { status: wanted, .. }
        | Task::RespondToAll { status: wanted, .. }
        | Task::RespondToOwners { status: wanted, .. } => status == Some(*wanted),
    };
    if is_as_wanted { Outcome::Done } else { Outcome::Superseded }
}

/// What a task with that plan, after which the pair is as the task wants it, changes of the pair.
fn transition(pair: &Pair<'_>, task: &Task, plan: &PairPlan) -> Option<Transition> {
    let before = pair.active_membership();
    let after = plan.membership.as_ref().or(before);
    let shown = |membership: Option<&Membership>| {
        membership.map(|membership| (membership.status(), membership.reservation().cloned()))
    };
    match task {
        Task::Refresh => None,
        Task::Unshare if before.is_some() => Some(Transition::Ended),
        Task::Share if before.is_none() => match pair.current() {
            Some(Membership::Ended(Ended { was_active: true, .. })) => Some(Transition::BeganAgain),
            _ => Some(Transition::Began),
        },
        Task::Unshare => Some(Transition::Unchanged),
        _ if shown(before) == shown(after) => Some(Transition::Unchanged),
        _ => match after.and_then(Membership::status)? {
            Status::Accepted => Some(Transition::Accepted),
            Status::Rejected => Some(Transition::Rejected),
            Status::Pending => None,
        },
    }
}

/// The same membership, but pending if it would be accepted without the reservation that the image needs.
fn pending_unless_reserved(image: &ImageHead, membership: Membership) -> Membership {
    let needs_vault = matches!(image.spec.kind, ImageKind::FullEcs { .. });
    if needs_vault && membership.status() == Some(Status::Accepted) && membership.reservation().is_none() {
        membership.without_consent()
    } else {
        membership
    }
}
