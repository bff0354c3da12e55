//! Share images with tenants.

use super::Refusal;
use super::accept::{Batch, accept};
use super::directory::{refuse_names, tenants_of};
use crate::Service;
use crate::domain::{Addressees, Caller, ImageHead, ImageId, JobId, Task, TenantId, Visibility};
use crate::store::{Remembered, Snapshot, Submitted};

/// Checks that the caller owns every image and that each can be shared, and shares each image with each tenant, in a job:
/// at once where one transaction holds it, else soon. `remembered` is the request under its idempotency key. Returns the
/// job's id.
///
/// One batch read and one transaction, one batch read more where the directory knows the caller and not every recipient, a
/// count of each inbox that was not counted a moment ago, and what the directory takes to find tenants by their names; one
/// read more where a request with a key is refused.
///
/// # Errors
/// [`Refusal`]; then no job was made.
pub async fn share(
    service: &Service,
    caller: &Caller,
    images: Vec<ImageId>,
    with: impl Into<Addressees>,
    remembered: Option<Remembered>,
) -> Result<JobId, Refusal> {
    owners_request(service, caller, (Task::Share, images, with.into()), remembered).await
}

/// Checks that the caller owns every image, and that each can be shared with each of the tenants.
pub(super) async fn check(
    service: &Service,
    caller: &Caller,
    read: &Snapshot,
    images: &[ImageId],
    tenants: &[TenantId],
) -> Result<(), Refusal> {
    for image in owned_images(service, caller, read, images).await? {
        if image.visibility != Visibility::Shared {
            let (image, visibility) = (image.id.clone(), image.visibility);
            return Err(Refusal::NotShared { image, visibility });
        }
        if let Some(owner) = tenants.iter().find(|tenant| **tenant == image.owner) {
            return Err(Refusal::SelfShare(owner.clone()));
        }
    }
    refuse_names(service, caller, read, tenants).await
}

/// Accepts a request of an owner about its images and some tenants.
pub(super) async fn owners_request(
    service: &Service,
    caller: &Caller,
    (task, images, addressees): (Task, Vec<ImageId>, Addressees),
    remembered: Option<Remembered>,
) -> Result<JobId, Refusal> {
    if !caller.can_act() {
        return Err(Refusal::ReadOnly);
    }
    let accepted = match resolved(service, caller, &images, addressees).await {
        Ok(tenants) => {
            let batch = Batch { task, images, tenants, remembered: remembered.clone() };
            accept(service, caller, batch).await
        }
        Err(refusal) => Err(refusal),
    };
    match accepted {
        Ok(job) => Ok(job),
        Err(refusal) => unless_accepted_before(service, remembered.as_ref(), refusal).await,
    }
}

/// The tenants that a request names. What is wrong with its images is told first: only who owns them looks up names.
async fn resolved(
    service: &Service,
    caller: &Caller,
    images: &[ImageId],
    addressees: Addressees,
) -> Result<Vec<TenantId>, Refusal> {
    if !addressees.accounts.is_empty() {
        let read = service.store.heads_and_tenants(images, &[]).await?;
        owned_images(service, caller, &read, images).await?;
    }
    tenants_of(service, addressees).await
}

/// The images of those ids, as they were read, provided that the caller may act on each as its owner.
pub(super) async fn owned_images<'a>(
    service: &Service,
    caller: &Caller,
    read: &'a Snapshot,
    ids: &[ImageId],
) -> Result<Vec<&'a ImageHead>, Refusal> {
    let mut owned = Vec::with_capacity(ids.len());
    for id in ids {
        match read.known.images.get(id) {
            Some(image) if caller.acts_for(&image.owner) => owned.push(image),
            Some(image) if sees(service, caller, image).await? => return Err(Refusal::NotOwner(id.clone())),
            _ => return Err(Refusal::ImageNotFound(id.clone())),
        }
    }
    Ok(owned)
}

/// Whether a caller who does not own the image can see it. One read where it is shared.
async fn sees(service: &Service, caller: &Caller, image: &ImageHead) -> Result<bool, Refusal> {
    match image.visibility {
        Visibility::Public | Visibility::Community => Ok(true),
        Visibility::Private => Ok(false),
        Visibility::Shared => {
            let (_, member) = service.store.head_and_member(&image.id, &caller.tenant).await?;
            Ok(member.is_some())
        }
    }
}

/// Returns the original job if the request is the retry of one that was accepted, even if it would be refused now: that an
/// image was deleted or hidden meanwhile is nothing that the client could have known. One read where there is a key.
///
/// # Errors
/// The refusal, where it is no retry.
pub(super) async fn unless_accepted_before(
    service: &Service,
    remembered: Option<&Remembered>,
    refusal: Refusal,
) -> Result<JobId, Refusal> {
    let (Some(remembered), false) = (remembered, matches!(refusal, Refusal::ReadOnly | Refusal::Store(_)))
    else {
        return Err(refusal);
    };
    match service.store.submitted_before(remembered).await? {
        Some(Submitted::Before(job)) => Ok(job),
        Some(Submitted::KeyUsed) => Err(Refusal::KeyUsed),
        Some(Submitted::Yes) | None => Err(refusal),
    }
}
