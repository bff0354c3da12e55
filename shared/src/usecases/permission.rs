//! Change at once who may use an image, without asking them.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Refusal;
use super::directory::refuse_names;
use super::membership::refuse;
use super::stamps::leave_far_stamp;
use crate::Service;
use crate::domain::{
    Caller, Decision, Encryption, ImageHead, ImageId, Membership, NotGranted, Permissions, Visibility,
    decide_permissions,
};
use crate::store::{Snapshot, Written};

/// How often a change is decided anew because somebody else has changed what it was decided from.
const ATTEMPTS: u32 = 20;

/// Whether a change is made, or only checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It is made.
    Made,
    /// It is checked as if it were made, and nothing is written.
    Checked,
}

/// Checks that the caller owns the image and that it can be granted, and grants it to some tenants and takes it from
/// others, all in one transaction. What is granted needs no acceptance (`contract/decisions.md` 11); a tenant that has
/// rejected the image has still rejected it.
///
/// One batch read and one transaction; both again where somebody else changed the same in between.
///
/// # Errors
/// [`Refusal`]; then nothing was changed.
pub async fn change_permissions(
    service: &Service,
    caller: &Caller,
    id: &ImageId,
    wanted: &Permissions,
    effect: Effect,
) -> Result<(), Refusal> {
    if !caller.can_act() {
        return Err(Refusal::ReadOnly);
    }
    let rules = service.settings.rules();
    // The caller's own membership tells whether it sees an image that it does not own.
    let tenants: BTreeSet<_> = wanted.add().iter().chain(wanted.remove()).chain([&caller.tenant]).collect();
    let tenants: Vec<_> = tenants.into_iter().collect();
    let pairs: Vec<_> = tenants.iter().map(|tenant| (id, *tenant)).collect();
    for attempt in 1..=ATTEMPTS {
        let read = service.store.snapshot(&pairs, &tenants).await?;
        let at = service.clock().stamp_after(read.stamps());
        let image = granted_by(caller, id, wanted, &read)?;
        refuse_names(service, caller, &read, wanted.add()).await?;
        let decision = decide_permissions(image, wanted, at, &read.known, rules);
        let decision = decision.or_else(|NotGranted { tenant, outcome }| {
            refuse(outcome, image, &tenant, rules).map(|()| Decision::default())
        })?;
        let now = service.clock().now();
        if effect == Effect::Made {
            let others = wanted.add().iter().chain(wanted.remove()).filter(|id| **id != caller.tenant);
            leave_far_stamp(service, &read, others, at).await?;
        }
        let raises = service.clock().is_ahead(at).then_some((&caller.tenant, at));
        if effect == Effect::Checked
            || service.store.make_change(&decision, &read, rules, now, raises, None).await? == Written::Yes
        {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..5 * u64::from(attempt)))).await;
    }
    Err(Refusal::Contended(id.clone()))
}

/// The image, if the caller may change its permissions so. What must not be granted may still be taken.
fn granted_by<'a>(
    caller: &Caller,
    id: &ImageId,
    wanted: &Permissions,
    read: &'a Snapshot,
) -> Result<&'a ImageHead, Refusal> {
    let own = read.known.memberships.get(&(id.clone(), caller.tenant.clone()));
    let image = match read.known.images.get(id) {
        Some(image) if caller.acts_for(&image.owner) => image,
        Some(image) if sees(image, own) => return Err(Refusal::NotOwner(id.clone())),
        _ => return Err(Refusal::ImageNotFound(id.clone())),
    };
    if wanted.add().is_empty() {
        return Ok(image);
    }
    if image.visibility != Visibility::Shared {
        return Err(Refusal::NotShared { image: id.clone(), visibility: image.visibility });
    }
    if image.make.encryption != Encryption::None {
        return Err(Refusal::Encrypted(id.clone()));
    }
    if wanted.add().contains(&image.owner) {
        return Err(Refusal::SelfShare(image.owner.clone()));
    }
    Ok(image)
}

/// Whether a caller who does not own the image can see it, with that membership.
fn sees(image: &ImageHead, own: Option<&Membership>) -> bool {
    image.visibility.is_open()
        || (image.visibility == Visibility::Shared && own.is_some_and(|own| own.standing().is_some()))
}
