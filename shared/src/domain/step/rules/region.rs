//! A tenant of another region receives nothing (seeds 001, 002). If the directory is complete, nor does a tenant that
//! is not in it (`contract/decisions.md` 20).

use crate::domain::step::pair::{Case, Subject};
use crate::domain::step::step_input::ExtraRead;
use crate::domain::step::verdict::{Unguarded, Verdict, violation};
use crate::domain::{Outcome, Task};

/// Whether the rule is checked for a task, so that the tenants of its pairs are read together with the pairs. They are
/// known before the images are read, so they cost no further round trip.
pub fn reads_recipients(task: &Task) -> bool {
    *task == Task::Share
}

pub(super) fn extra_read(_: &Subject<'_>) -> Option<ExtraRead> {
    None
}

/// A recipient that moves to another region, or leaves the directory, keeps its memberships. So it may as well do so
/// just after the commit, and no transaction pays for a check of its item, on which all shares with it would conflict.
///
/// A failure rests on the membership, which may have been read earlier: a member that has moved away stays a member.
pub(super) fn check(case: &Case<'_>) -> Verdict {
    let pair = case.pair;
    match pair.input.tenants.get(pair.tenant).and_then(|tenant| tenant.region.as_deref()) {
        None if pair.rules.directory_is_complete => {
            violation(Outcome::UnknownTenant, pair.membership_unchanged())
        }
        Some(region) if region != pair.rules.region => {
            violation(Outcome::OtherRegion, pair.membership_unchanged())
        }
        None | Some(_) => Ok(Unguarded::ChangeMayFollow.into()),
    }
}
