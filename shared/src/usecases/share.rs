//! Share images with tenants.

use std::collections::HashMap;

use super::Refusal;
use super::directory::tenants_of;
use crate::Service;
use crate::domain::{Addressees, Caller, ImageHead, ImageId, Job, JobId, Stamp, Task, TenantId, Visibility};
use crate::store::{Remembered, Submitted};

/// Checks that the caller owns every image and that each can be shared, and accepts a job that shares each image with
/// each tenant; `remembered` is the request under its idempotency key. Returns the job's id.
///
/// One batch read and one transaction, and what the directory takes to find tenants by their names; one read more where a
/// request with a key is refused.
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
    match check(service, caller, &images, with.into()).await {
        Ok(tenants) => submit(service, caller, Task::Share, images, tenants, remembered).await,
        Err(refusal) => unless_accepted_before(service, remembered.as_ref(), refusal).await,
    }
}

async fn check(
    service: &Service,
    caller: &Caller,
    images: &[ImageId],
    with: Addressees,
) -> Result<Vec<TenantId>, Refusal> {
    let owned = owned_images(service, caller, images).await?;
    let tenants = tenants_of(service, with).await?;
    for (_, image) in owned {
        if image.visibility != Visibility::Shared {
            return Err(Refusal::NotShared { image: image.id, visibility: image.visibility });
        }
        if let Some(owner) = tenants.iter().find(|tenant| **tenant == image.owner) {
            return Err(Refusal::SelfShare(owner.clone()));
        }
    }
    Ok(tenants)
}

/// Reads images that the caller is about to act on as their owner.
pub(super) async fn owned_images(
    service: &Service,
    caller: &Caller,
    ids: &[ImageId],
) -> Result<HashMap<ImageId, ImageHead>, Refusal> {
    if !caller.can_act() {
        return Err(Refusal::ReadOnly);
    }
    let images = service.store.heads(ids).await?;
    for id in ids {
        match images.get(id) {
            Some(image) if caller.acts_for(&image.owner) => {}
            Some(image) if sees(service, caller, image).await? => return Err(Refusal::NotOwner(id.clone())),
            _ => return Err(Refusal::ImageNotFound(id.clone())),
        }
    }
    Ok(images)
}

/// Whether a caller who does not own the image can see it.
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

/// Refuses a request, unless it is the retry of one that was accepted: that it would be refused by now, since an image
/// was deleted or hidden meanwhile, is nothing that who retries could have known.
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

/// Accepts a job in the caller's name.
pub(super) async fn submit(
    service: &Service,
    caller: &Caller,
    task: Task,
    images: Vec<ImageId>,
    tenants: Vec<TenantId>,
    remembered: Option<Remembered>,
) -> Result<JobId, Refusal> {
    let job = Job { id: JobId(Stamp::now()), creator: caller.tenant.clone(), task, images, tenants };
    match service.store.submit(&job, remembered.as_ref()).await? {
        Submitted::Yes => Ok(job.id),
        Submitted::Before(id) => Ok(id),
        Submitted::KeyUsed => Err(Refusal::KeyUsed),
    }
}
