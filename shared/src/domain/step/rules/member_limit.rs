//! An image has at most as many members as the deployment allows for its kind (`contract/decisions.md` 12). The count
//! is exact: it is an attribute of the image's head, written in the transactions that write memberships.

use crate::domain::Outcome;
use crate::domain::step::guard::Guard;
use crate::domain::step::pair::{Case, Subject};
use crate::domain::step::step_input::ExtraRead;
use crate::domain::step::verdict::{Basis, Verdict, violation};

pub(super) fn extra_read(_: &Subject<'_>) -> Option<ExtraRead> {
    None
}

/// A failure rests on the membership, too. The count may be newer: an image must not be full because of the very
/// member that another worker has added meanwhile.
pub(super) fn check(case: &Case<'_>) -> Verdict {
    let (pair, image) = (case.pair, case.image()?);
    if !case.begins() {
        return Ok(pair.membership_unchanged().into());
    }
    let limit = pair.rules.limits.member_limit(image);
    let delta = i64::from(pair.plan_so_far.member_delta(pair.image)) + 1;
    if delta <= 0 {
        // Others leave in the same step, so the image gains no member. That is allowed even above a limit that was
        // lowered.
        return Ok(pair.membership_unchanged().into());
    }
    if i64::from(image.member_count) + delta > i64::from(limit) {
        return violation(Outcome::MemberLimit, pair.membership_unchanged());
    }
    let unchanged = Guard::ImageUnchanged { image: image.id.clone(), revision: image.revision };
    Ok(Basis::Guards(vec![unchanged, Guard::MemberLimit { image: image.id.clone(), limit }]))
}
