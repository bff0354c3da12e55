//! An image that is encrypted under a key of its owner is shared only with tenants that have a grant for the key (seed
//! 003, `contract/decisions.md` 14).

use crate::domain::step::guard::Guard;
use crate::domain::step::pair::{Case, Subject};
use crate::domain::step::step_input::ExtraRead;
use crate::domain::step::verdict::{Verdict, violation};
use crate::domain::{Encryption, ImageHead, KeyGrant, Outcome, Task, TenantId};

/// The key grant. One more item of the batch read.
pub(super) fn extra_read(subject: &Subject<'_>) -> Option<ExtraRead> {
    match subject.task {
        Task::Share => required_grant(subject.image, subject.tenant).map(ExtraRead::KeyGrant),
        Task::Unshare
        | Task::Refresh
        | Task::Respond { .. }
        | Task::RespondToAll { .. }
        | Task::RespondToOwners { .. } => None,
    }
}

/// A failure rests on the membership, too, which is read earlier: a member stays a member after the grant is withdrawn.
pub(super) fn check(case: &Case<'_>) -> Verdict {
    let (pair, image) = (case.pair, case.image()?);
    match required_grant(image, pair.tenant) {
        None => Ok(case.image_basis(image)),
        Some(grant) if pair.input.key_grants.contains(&grant) => Ok(Guard::KeyGrantExists(grant).into()),
        Some(_) => violation(Outcome::KeyNotGranted, pair.membership_unchanged()),
    }
}

/// The grant without which the image is not shared with the tenant, if it needs one.
fn required_grant(image: &ImageHead, tenant: &TenantId) -> Option<KeyGrant> {
    match &image.spec.encryption {
        Encryption::Key(key) => {
            Some(KeyGrant { owner: image.owner.clone(), key: key.clone(), tenant: tenant.clone() })
        }
        Encryption::None | Encryption::DefaultKey => None,
    }
}
