//! Share images with tenants.

use super::UseCaseError;
use super::accept_batch::{BatchRequest, accept};
use super::access::authorize_all;
use super::directory::resolve_tenants;
use crate::App;
use crate::domain::{Caller, ImageAction, ImageId, JobId, RecipientList, Task, TenantId, authorize_write};
use crate::store::{IdempotencyRequest, SubmitOutcome};

/// Shares each image with each tenant, in a job. The caller has to own every image, and each image has to be
/// shareable. Returns the job's id. The job is executed before the response if it fits into one transaction, and
/// queued otherwise. `idempotency` is the request's digest under its idempotency key.
///
/// Costs one batch read, one transaction and, where that is cheaper, one put for the job; one batch read more if the
/// directory contains the caller but not every recipient; a count of each inbox whose count is not cached; one batch
/// read if a recipient has owner policies, and another if one of them names a vault for a full-ECS image; the reads that
/// resolve tenant names; and one read if a request with an idempotency key is refused. A share that is executed before
/// the response also costs one batch read for every 100 recipients that are not in the sender cache, and one
/// write for each that receives from this owner for the first time (`COST.md`).
///
/// # Errors
/// [`UseCaseError`]; then no job was created, unless the error is [`InDoubt`](crate::store::StoreError::InDoubt).
pub async fn share(
    app: &App,
    caller: &Caller,
    images: Vec<ImageId>,
    recipients: impl Into<RecipientList>,
    idempotency: Option<IdempotencyRequest>,
) -> Result<JobId, UseCaseError> {
    let share = (Task::Share, ImageAction::Share);
    accept_owner_request(app, caller, share, (images, recipients.into()), idempotency).await
}

/// Accepts an owner's batch request, to share or to unshare its images.
pub(super) async fn accept_owner_request(
    app: &App,
    caller: &Caller,
    (task, action): (Task, ImageAction<'_>),
    (images, recipients): (Vec<ImageId>, RecipientList),
    idempotency: Option<IdempotencyRequest>,
) -> Result<JobId, UseCaseError> {
    let result = match resolve_recipients(app, caller, (&images, action), recipients).await {
        Ok(tenants) => {
            let idempotency = idempotency.clone();
            let batch = BatchRequest { task, images, tenants, idempotency, may_repeat: false };
            accept(app, caller, batch).await
        }
        Err(error) => Err(error),
    };
    match result {
        // A caller that cannot write has no accepted request to replay.
        Err(error) if authorize_write(caller).is_ok() => {
            replayed_job_or_error(app, idempotency.as_ref(), error).await
        }
        result => result,
    }
}

/// Resolves the recipients of a request to tenants. Authorizes the caller for the images first, so that only their
/// owner can look up names.
async fn resolve_recipients(
    app: &App,
    caller: &Caller,
    (images, action): (&[ImageId], ImageAction<'_>),
    recipients: RecipientList,
) -> Result<Vec<TenantId>, UseCaseError> {
    if !recipients.accounts.is_empty() {
        let snapshot = app.store.heads_and_tenants(images, &[]).await?;
        authorize_all(app, caller, &snapshot, images, action).await?;
    }
    resolve_tenants(app, recipients).await
}

/// Returns the original job if this is a replay of an accepted request, even if the request would fail now: an image
/// may have been deleted or hidden since, which the client could not know. Costs one read if there is an idempotency
/// key.
///
/// # Errors
/// `error`, if the request is not a replay.
async fn replayed_job_or_error(
    app: &App,
    idempotency: Option<&IdempotencyRequest>,
    error: UseCaseError,
) -> Result<JobId, UseCaseError> {
    let (Some(request), false) = (idempotency, matches!(error, UseCaseError::Store(_))) else {
        return Err(error);
    };
    match app.store.prior_submission(request).await? {
        Some(SubmitOutcome::Replayed(job)) => Ok(job),
        Some(SubmitOutcome::KeyReused) => Err(UseCaseError::IdempotencyKeyReused),
        Some(SubmitOutcome::Accepted) | None => Err(error),
    }
}
