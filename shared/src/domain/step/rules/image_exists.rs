//! A deleted image is neither shared nor decided on. The job of its deletion ends its memberships
//! (`contract/decisions.md` 24).

use crate::domain::step::guard::Guard;
use crate::domain::step::pair::{Case, Subject};
use crate::domain::step::step_input::ExtraRead;
use crate::domain::step::verdict::{Unguarded, Verdict};

pub(super) fn extra_read(_: &Subject<'_>) -> Option<ExtraRead> {
    None
}

/// The image must still exist if a membership begins: the job of its deletion does not name that membership. It ends
/// any other, so a decision on one needs no guard.
pub(super) fn check(case: &Case<'_>) -> Verdict {
    let image = case.image()?;
    Ok(if case.begins() {
        Guard::ImageExists(image.id.clone()).into()
    } else {
        Unguarded::ChangeMayFollow.into()
    })
}
