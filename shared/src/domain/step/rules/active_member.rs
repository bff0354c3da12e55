//! Only a member decides on a share, and a stranger learns nothing by trying (`contract/decisions.md` 8). A decision
//! that was requested before the share was withdrawn is superseded (decision 10).

use crate::domain::Outcome;
use crate::domain::step::pair::{Case, Subject};
use crate::domain::step::step_input::ExtraRead;
use crate::domain::step::verdict::{Unguarded, Verdict, violation};

pub(super) fn extra_read(_: &Subject<'_>) -> Option<ExtraRead> {
    None
}

/// The absence of a membership needs a guard although nothing else is read here: the open jobs of the image's owner
/// are read after it, and one of them may have ended in between. A withdrawal after the request is never undone.
pub(super) fn check(case: &Case<'_>) -> Verdict {
    let pair = case.pair;
    if case.next.is_some() {
        return Ok(pair.membership_unchanged().into());
    }
    if pair.current().is_some_and(|current| current.is_unshared_after(case.stamp)) {
        violation(Outcome::Superseded, Unguarded::Final)
    } else {
        violation(Outcome::NotAMember, pair.membership_unchanged())
    }
}
