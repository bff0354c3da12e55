//! Share images with tenants.

use super::UseCaseError;
use super::accept_batch::{BatchRequest, accept};
use super::directory::{reject_names_as_ids, resolve_tenants};
use crate::App;
use crate::domain::{Caller, ImageHead, ImageId, JobId, RecipientList, Task, TenantId, Visibility};
use crate::store::{IdempotencyRequest, Snapshot, SubmitOutcome};

/// Checks that the caller owns every image and that each can be shared, and shares each image with each tenant, in a job:
/// at once where one transaction holds it, else soon. `remembered` is the request under its idempotency key. Returns the
/// job's id.
///
/// One batch read and one transaction, one batch read more where the directory knows the caller and not every recipient, a
/// count of each inbox that was not counted a moment ago, and what the directory takes to find tenants by their names; one
/// read more where a request with a key is refused.
///
/// # Errors
/// [`UseCaseError`]; then no job was made.
pub async fn share(
    service: &App,
    caller: &Caller,
    images: Vec<ImageId>,
    recipients: impl Into<RecipientList>,
    idempotency: Option<IdempotencyRequest>,
) -> Result<JobId, UseCaseError> {
    accept_owner_request(service, caller, (Task::Share, images, recipients.into()), idempotency).await
}

/// Checks that the caller owns every image, and that each can be shared with each of the tenants.
pub(super) async fn authorize_share(
    service: &App,
    caller: &Caller,
    read: &Snapshot,
    images: &[ImageId],
    tenants: &[TenantId],
) -> Result<(), UseCaseError> {
    for image in require_owned_images(service, caller, read, images).await? {
        if image.visibility != Visibility::Shared {
            let (image, visibility) = (image.id.clone(), image.visibility);
            return Err(UseCaseError::NotShared { image, visibility });
        }
        if let Some(owner) = tenants.iter().find(|tenant| **tenant == image.owner) {
            return Err(UseCaseError::SelfShare(owner.clone()));
        }
    }
    reject_names_as_ids(service, caller, read, tenants).await
}

/// Accepts a request of an owner about its images and some tenants.
pub(super) async fn accept_owner_request(
    service: &App,
    caller: &Caller,
    (task, images, addressees): (Task, Vec<ImageId>, RecipientList),
    idempotency: Option<IdempotencyRequest>,
) -> Result<JobId, UseCaseError> {
    if !caller.can_write() {
        return Err(UseCaseError::ReadOnly);
    }
    let accepted = match resolve_recipients(service, caller, &images, addressees).await {
        Ok(tenants) => {
            let batch = BatchRequest { task, images, tenants, idempotency: idempotency.clone() };
            accept(service, caller, batch).await
        }
        Err(refusal) => Err(refusal),
    };
    match accepted {
        Ok(job) => Ok(job),
        Err(refusal) => replayed_job_or_error(service, idempotency.as_ref(), refusal).await,
    }
}

/// The tenants that a request names. What is wrong with its images is told first: only who owns them looks up names.
async fn resolve_recipients(
    service: &App,
    caller: &Caller,
    images: &[ImageId],
    addressees: RecipientList,
) -> Result<Vec<TenantId>, UseCaseError> {
    if !addressees.accounts.is_empty() {
        let read = service.store.heads_and_tenants(images, &[]).await?;
        require_owned_images(service, caller, &read, images).await?;
    }
    resolve_tenants(service, addressees).await
}

/// The images of those ids, as they were read, provided that the caller may act on each as its owner.
pub(super) async fn require_owned_images<'a>(
    service: &App,
    caller: &Caller,
    read: &'a Snapshot,
    ids: &[ImageId],
) -> Result<Vec<&'a ImageHead>, UseCaseError> {
    let mut owned = Vec::with_capacity(ids.len());
    for id in ids {
        match read.input.images.get(id) {
            Some(image) if caller.can_write_for(&image.owner) => owned.push(image),
            Some(image) if can_see_image(service, caller, image).await? => {
                return Err(UseCaseError::NotOwner(id.clone()));
            }
            _ => return Err(UseCaseError::ImageNotFound(id.clone())),
        }
    }
    Ok(owned)
}

/// Whether a caller who does not own the image can see it. One read where it is shared.
async fn can_see_image(service: &App, caller: &Caller, image: &ImageHead) -> Result<bool, UseCaseError> {
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
pub(super) async fn replayed_job_or_error(
    service: &App,
    idempotency: Option<&IdempotencyRequest>,
    refusal: UseCaseError,
) -> Result<JobId, UseCaseError> {
    let (Some(remembered), false) =
        (idempotency, matches!(refusal, UseCaseError::ReadOnly | UseCaseError::Store(_)))
    else {
        return Err(refusal);
    };
    match service.store.prior_submission(remembered).await? {
        Some(SubmitOutcome::Replayed(job)) => Ok(job),
        Some(SubmitOutcome::KeyReused) => Err(UseCaseError::IdempotencyKeyReused),
        Some(SubmitOutcome::Accepted) | None => Err(refusal),
    }
}
