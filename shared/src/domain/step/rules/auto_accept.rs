//! A full-ECS image is not shared without consent: it is accepted into a vault that only its recipient can name
//! (`contract/decisions.md` 11, 15).

use crate::domain::step::guard::Guard;
use crate::domain::step::pair::{Case, Subject};
use crate::domain::step::step_input::ExtraRead;
use crate::domain::step::verdict::{Unguarded, Verdict, violation};
use crate::domain::{ImageKind, Outcome};

pub(super) fn extra_read(_: &Subject<'_>) -> Option<ExtraRead> {
    None
}

/// The image must be unchanged even if the membership is active already: from now on it needs no consent.
pub(super) fn check(case: &Case<'_>) -> Verdict {
    let image = case.image()?;
    match image.spec.kind {
        ImageKind::FullEcs { .. } => violation(Outcome::NoVault, Unguarded::TrueWhenRead),
        ImageKind::SystemDisk | ImageKind::DataDisk => {
            Ok(Guard::ImageUnchanged { image: image.id.clone(), revision: image.revision }.into())
        }
    }
}
