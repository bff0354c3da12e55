//! The images pending for a tenant are limited, in all and per owner, so that no stranger fills an inbox. The limits
//! are approximate (`contract/decisions.md` 12): an exact count would be one more item in every share's transaction,
//! and the same item for all shares with one tenant.

use crate::domain::step::pair::{Case, Subject};
use crate::domain::step::step_input::ExtraRead;
use crate::domain::step::verdict::{Unguarded, Verdict, violation};
use crate::domain::{Membership, Outcome, Status, Task};

/// The number of the tenant's pending images, if the task may add one. A query, unless it was counted a moment ago.
pub(super) fn extra_read(subject: &Subject<'_>) -> Option<ExtraRead> {
    let (image, tenant) = (subject.image, subject.tenant);
    let may_add = match subject.task {
        Task::Share => {
            let membership = subject.input.membership(&image.id, tenant);
            membership.is_none_or(|membership| membership.active().is_none())
        }
        Task::Respond { status, .. } => *status == Status::Pending,
        Task::Unshare | Task::Refresh | Task::RespondToAll { .. } | Task::RespondToOwners { .. } => false,
    };
    may_add.then(|| ExtraRead::Inbox(tenant.clone()))
}

pub(super) fn check(case: &Case<'_>) -> Verdict {
    let (pair, image) = (case.pair, case.image()?);
    let approximate = || Ok(Unguarded::Approximate.into());
    let is_pending = |membership: Option<&Membership>| membership.is_some_and(Membership::is_pending);
    if !is_pending(case.next) || is_pending(pair.current()) {
        return approximate();
    }
    let Some(inbox) = pair.input.inboxes.get(pair.tenant) else { return approximate() };
    let (delta, delta_of_owner) = pair.plan_so_far.pending_delta(pair.tenant, &image.owner);
    let of_owner = inbox.pending_by_owner.get(&image.owner).copied().unwrap_or_default();
    if i64::from(of_owner) + delta_of_owner >= i64::from(pair.rules.limits.pending_per_owner) {
        violation(Outcome::OwnerPendingLimit, Unguarded::Approximate)
    } else if i64::from(inbox.pending) + delta >= i64::from(pair.rules.limits.pending_per_tenant) {
        violation(Outcome::PendingLimit, Unguarded::Approximate)
    } else {
        approximate()
    }
}
