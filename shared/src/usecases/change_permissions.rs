//! Change at once who may use an image, without asking them.

use std::collections::BTreeSet;
use std::time::Duration;

use super::UseCaseError;
use super::change_membership::check_outcome;
use super::directory::reject_names_as_ids;
use super::tenant_clocks::raise_tenant_clocks;
use crate::App;
use crate::domain::{
    Caller, Encryption, ImageAction, ImageHead, ImageId, Membership, PermissionChange, Plan, ShareRefused,
    Visibility,
};
use crate::store::{Commit, Snapshot};

/// How often a change is decided anew because somebody else has changed what it was decided from.
const MAX_ATTEMPTS: u32 = 20;

/// Whether a change is made, or only checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DryRun {
    /// It is made.
    Off,
    /// It is checked as if it were made, and nothing is written.
    On,
}

/// Checks that the caller owns the image and that it can be granted, and grants it to some tenants and takes it from
/// others, all in one transaction. What is granted needs no acceptance (`contract/decisions.md` 11); a tenant that has
/// rejected the image has still rejected it.
///
/// One batch read and one transaction; both again where somebody else changed the same in between.
///
/// # Errors
/// [`UseCaseError`]; then nothing was changed.
pub async fn change_permissions(
    app: &App,
    caller: &Caller,
    id: &ImageId,
    changes: &PermissionChange,
    dry_run: DryRun,
) -> Result<(), UseCaseError> {
    let rules = app.settings.rules();
    // The caller's own membership tells whether it sees an image that it does not own.
    let tenants: BTreeSet<_> = changes.add().iter().chain(changes.remove()).chain([&caller.tenant]).collect();
    let tenants: Vec<_> = tenants.into_iter().collect();
    let pairs: Vec<_> = tenants.iter().map(|tenant| (id, *tenant)).collect();
    for attempt in 1..=MAX_ATTEMPTS {
        let read = app.store.snapshot(&pairs, &tenants).await?;
        let at = app.clock().stamp_after(read.stamps());
        let image = authorize_permission_change(caller, id, changes, &read)?;
        reject_names_as_ids(app, caller, &read, changes.add()).await?;
        let decision = read.plan_permissions(image, changes, at, rules);
        let decision = decision.or_else(|ShareRefused { tenant, outcome }| {
            check_outcome(outcome, image, &tenant, rules).map(|()| Plan::default())
        })?;
        let now = app.clock().now();
        if dry_run == DryRun::Off {
            let others = changes.add().iter().chain(changes.remove()).filter(|id| **id != caller.tenant);
            raise_tenant_clocks(app, &read, others, at).await?;
        }
        let raises = app.clock().is_ahead(at).then_some((&caller.tenant, at));
        if dry_run == DryRun::On
            || app.store.commit_plan(&decision, &read, now, raises, None).await? == Commit::Committed
        {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..5 * u64::from(attempt)))).await;
    }
    Err(UseCaseError::Conflict(id.clone()))
}

/// The image, if the caller may change its permissions so. What must not be granted may still be taken.
fn authorize_permission_change<'a>(
    caller: &Caller,
    id: &ImageId,
    changes: &PermissionChange,
    read: &'a Snapshot,
) -> Result<&'a ImageHead, UseCaseError> {
    let own = read.membership((id, &caller.tenant)).and_then(Membership::status);
    let action = if changes.add().is_empty() { ImageAction::Unshare } else { ImageAction::Share };
    let image = read.image(id).ok_or_else(|| UseCaseError::ImageNotFound(id.clone()))?;
    let image = image.authorize(caller, own, action)?;
    if changes.add().is_empty() {
        return Ok(image);
    }
    if image.visibility != Visibility::Shared {
        return Err(UseCaseError::NotShared { image: id.clone(), visibility: image.visibility });
    }
    if image.spec.encryption != Encryption::None {
        return Err(UseCaseError::Encrypted(id.clone()));
    }
    if changes.add().contains(&image.owner) {
        return Err(UseCaseError::SelfShare(image.owner.clone()));
    }
    Ok(image)
}
