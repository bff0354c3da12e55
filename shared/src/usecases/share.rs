//! Share images with tenants.

use super::UseCaseError;
use super::accept_batch::{BatchRequest, accept};
use super::access::authorize_all;
use super::directory::resolve_tenants;
use crate::App;
use crate::domain::{Caller, ImageAction, ImageId, JobId, RecipientList, Task, TenantId};
use crate::store::{IdempotencyRequest, SubmitOutcome};

/// Checks that the caller owns every image and that each can be shared, and shares each image with each tenant, in a job:
/// at once where one transaction holds it, else soon. `idempotency` is the request under its idempotency key. Returns the
/// job's id.
///
/// One batch read and one transaction, one batch read more where the directory knows the caller and not every recipient, a
/// count of each inbox that was not counted a moment ago, and what the directory takes to find tenants by their names; one
/// read more where a request with a key is refused.
///
/// # Errors
/// [`UseCaseError`]; then no job was made.
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

/// Accepts a request of an owner about its images and some tenants.
pub(super) async fn accept_owner_request(
    app: &App,
    caller: &Caller,
    (task, action): (Task, ImageAction<'_>),
    (images, addressees): (Vec<ImageId>, RecipientList),
    idempotency: Option<IdempotencyRequest>,
) -> Result<JobId, UseCaseError> {
    let accepted = match resolve_recipients(app, caller, (&images, action), addressees).await {
        Ok(tenants) => {
            let batch = BatchRequest { task, images, tenants, idempotency: idempotency.clone() };
            accept(app, caller, batch).await
        }
        Err(refusal) => Err(refusal),
    };
    match accepted {
        // A reader has no request that could be replayed.
        Err(refusal) if caller.can_write() => replayed_job_or_error(app, idempotency.as_ref(), refusal).await,
        accepted => accepted,
    }
}

/// The tenants that a request names. What is wrong with its images is told first: only who owns them looks up names.
async fn resolve_recipients(
    app: &App,
    caller: &Caller,
    (images, action): (&[ImageId], ImageAction<'_>),
    addressees: RecipientList,
) -> Result<Vec<TenantId>, UseCaseError> {
    if !addressees.accounts.is_empty() {
        let read = app.store.heads_and_tenants(images, &[]).await?;
        authorize_all(app, caller, &read, images, action).await?;
    }
    resolve_tenants(app, addressees).await
}

/// Returns the original job if the request is the retry of one that was accepted, even if it would be refused now: that an
/// image was deleted or hidden meanwhile is nothing that the client could have known. One read where there is a key.
///
/// # Errors
/// The refusal, where it is no retry.
async fn replayed_job_or_error(
    app: &App,
    idempotency: Option<&IdempotencyRequest>,
    error: UseCaseError,
) -> Result<JobId, UseCaseError> {
    let (Some(remembered), false) = (idempotency, matches!(error, UseCaseError::Store(_))) else {
        return Err(error);
    };
    match app.store.prior_submission(remembered).await? {
        Some(SubmitOutcome::Replayed(job)) => Ok(job),
        Some(SubmitOutcome::KeyReused) => Err(UseCaseError::IdempotencyKeyReused),
        Some(SubmitOutcome::Accepted) | None => Err(error),
    }
}
