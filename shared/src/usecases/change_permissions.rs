//! Change the permissions of an image in one transaction, without the recipients' consent.

use std::collections::BTreeSet;
use std::time::Duration;

use super::UseCaseError;
use super::access::authorize;
use super::change_membership::check_outcome;
use super::directory::reject_names_as_ids;
use super::tenant_clocks::raise_tenant_clocks;
use crate::App;
use crate::domain::{
    Caller, ImageAction, ImageHead, ImageId, Membership, NamedMembership, PermissionChange, Plan, ShareKind,
    ShareRefused, check_share_request,
};
use crate::store::{Commit, Snapshot};

/// The most attempts while other requests change the same items.
const MAX_ATTEMPTS: u32 = 20;

/// Whether a change is only checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DryRun {
    /// The change is written.
    Off,
    /// The change is checked in full, and nothing is written.
    On,
}

/// Shares an image with some tenants and unshares it from others, all in one transaction. The caller has to own the
/// image. The shares are auto-accepted (`contract/decisions.md` 11); a tenant that has rejected the image has still
/// rejected it.
///
/// Costs one batch read and one transaction, both again after a conflict; and one batch read more if a tenant that is
/// added has owner policies.
///
/// # Errors
/// [`UseCaseError`]; then nothing was changed,
/// unless the table leaves that in doubt ([`InDoubt`](crate::store::StoreError::InDoubt)).
pub async fn change_permissions(
    app: &App,
    caller: &Caller,
    id: &ImageId,
    changes: &PermissionChange,
    dry_run: DryRun,
) -> Result<(), UseCaseError> {
    let rules = app.settings.rules();
    // The caller's own membership decides whether it sees an image that it does not own.
    let tenants: BTreeSet<_> = changes.add().iter().chain(changes.remove()).chain([&caller.tenant]).collect();
    let tenants: Vec<_> = tenants.into_iter().collect();
    let pairs: Vec<_> = tenants.iter().map(|tenant| (id, *tenant)).collect();
    let added: Vec<_> = changes.add().iter().map(|tenant| (id, tenant)).collect();
    for attempt in 1..=MAX_ATTEMPTS {
        let mut snapshot = app.store.snapshot(&pairs, &tenants).await?;
        let at = app.clock().stamp_after(snapshot.stamps());
        let image = authorize_permission_change(app, caller, id, changes, &snapshot).await?.clone();
        reject_names_as_ids(app, caller, &snapshot, changes.add()).await?;
        app.store.read_owner_policies(&mut snapshot, &added).await?;
        let plan = snapshot.plan_permissions(&image, changes, at, rules);
        let plan = plan.or_else(|ShareRefused { tenant, outcome }| {
            check_outcome(outcome, &image, &tenant, rules).map(|()| Plan::default())
        })?;
        let now = app.clock().now();
        if dry_run == DryRun::Off {
            let other_tenants =
                changes.add().iter().chain(changes.remove()).filter(|id| **id != caller.tenant);
            raise_tenant_clocks(app, &snapshot, other_tenants, at).await?;
        }
        let clock = app.clock().is_ahead(at).then_some((&caller.tenant, at));
        if dry_run == DryRun::On
            || app.store.commit_plan(&plan, &snapshot, now, clock, None).await? == Commit::Committed
        {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..5 * u64::from(attempt)))).await;
    }
    Err(UseCaseError::Conflict(id.clone()))
}

/// Returns the image if the caller may change its permissions in this way. An image that cannot be shared can be
/// unshared.
async fn authorize_permission_change<'a>(
    app: &App,
    caller: &Caller,
    id: &ImageId,
    changes: &PermissionChange,
    snapshot: &'a Snapshot,
) -> Result<&'a ImageHead, UseCaseError> {
    let status = snapshot.membership((id, &caller.tenant)).and_then(Membership::status);
    let own = NamedMembership { tenant: &caller.tenant, status };
    let action = if changes.add().is_empty() { ImageAction::Unshare } else { ImageAction::Share };
    let image = authorize(app, caller, id, snapshot.image(id), Some(own), action).await?;
    if !changes.add().is_empty() {
        check_share_request(image, changes.add(), ShareKind::AutoAccepted)?;
    }
    Ok(image)
}
