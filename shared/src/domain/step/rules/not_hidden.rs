//! An image that its owner hides cannot be accepted, in any API: a recipient does not consent to an image that it
//! cannot see. The decision fails as it does without a membership. A rejection is allowed, so that a recipient can
//! empty its inbox (decision 28).

use crate::domain::step::pair::{Case, Subject};
use crate::domain::step::step_input::ExtraRead;
use crate::domain::step::verdict::{Unguarded, Verdict, violation};
use crate::domain::{Outcome, Visibility};

pub(super) fn extra_read(_: &Subject<'_>) -> Option<ExtraRead> {
    None
}

/// Needs no guard: a membership of a hidden image has no effect (decision 25), so the image may as well be hidden
/// after it is accepted.
pub(super) fn check(case: &Case<'_>) -> Verdict {
    if case.image()?.visibility == Visibility::Shared {
        Ok(Unguarded::ChangeMayFollow.into())
    } else {
        violation(Outcome::NotAMember, Unguarded::TrueWhenRead)
    }
}
