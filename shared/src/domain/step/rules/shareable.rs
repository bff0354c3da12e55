//! An image can be shared while its visibility is `shared` (`contract/ims.md` 1.7), unless it is encrypted under the
//! service's default key (decision 14), or is a full-ECS image that was not made from a backup (decision 15) or gives no
//! size of its backups, so that no capacity could be reserved for it (decision 29).

use crate::domain::step::pair::{Case, Subject};
use crate::domain::step::step_input::ExtraRead;
use crate::domain::step::verdict::{Unguarded, Verdict, violation};
use crate::domain::{Encryption, ImageHead, ImageKind, Outcome};

pub(super) fn extra_read(_: &Subject<'_>) -> Option<ExtraRead> {
    None
}

pub(super) fn check(case: &Case<'_>) -> Verdict {
    let image = case.image()?;
    match share_obstacle(image) {
        Some(outcome) => violation(outcome, Unguarded::TrueWhenRead),
        None => Ok(case.image_basis(image)),
    }
}

/// Why an image cannot be shared with any tenant, as the outcome of each pair; `None` if it can.
pub fn share_obstacle(image: &ImageHead) -> Option<Outcome> {
    if !image.visibility.allows_sharing() {
        return Some(Outcome::NotShareable);
    }
    if image.spec.encryption == Encryption::DefaultKey {
        return Some(Outcome::DefaultKey);
    }
    match image.spec.kind {
        ImageKind::FullEcs { from_backup: false, .. } | ImageKind::FullEcs { backup_gib: 0, .. } => {
            Some(Outcome::NotFromBackup)
        }
        ImageKind::FullEcs { .. } | ImageKind::SystemDisk | ImageKind::DataDisk => None,
    }
}
