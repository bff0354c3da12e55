//! An image that its owner hides cannot be accepted, in any API: nobody consents to what it cannot see. It fails as it does
//! without a membership, and can still be rejected, so that a recipient can empty its inbox (decision 28).

use crate::domain::step::pair::{Case, Subject};
use crate::domain::step::step_input::ExtraRead;
use crate::domain::step::verdict::{Unguarded, Verdict, violation};
use crate::domain::{Outcome, Visibility};

pub(super) fn extra_read(_: &Subject<'_>) -> Option<ExtraRead> {
    None
}

/// A membership of a hidden image has no effect (decision 25), so an image that is hidden after it was accepted needs no guard.
pub(super) fn check(case: &Case<'_>) -> Verdict {
    if case.image()?.visibility == Visibility::Shared {
        Ok(Unguarded::ChangeMayFollow.into())
    } else {
        violation(Outcome::NotAMember, Unguarded::TrueWhenRead)
    }
}
