//! Stop sharing images with tenants.

use super::UseCaseError;
use super::share::accept_owner_request;
use crate::App;
use crate::domain::{Caller, ImageAction, ImageId, JobId, RecipientList, Task};
use crate::store::IdempotencyRequest;

/// Ends each tenant's membership of each image, all of which the caller has to own, in a job. Returns the job's id.
/// The job is executed before the response if it fits into one transaction, and queued otherwise. A tenant that is
/// not a member is no error (`contract/decisions.md` 7).
///
/// Costs one batch read and one transaction, the reads that resolve tenant names, and one read more if a request with
/// an idempotency key is refused.
///
/// # Errors
/// [`UseCaseError`]; then no job was created, unless the error is [`InDoubt`](crate::store::StoreError::InDoubt).
pub async fn unshare(
    app: &App,
    caller: &Caller,
    images: Vec<ImageId>,
    recipients: impl Into<RecipientList>,
    idempotency: Option<IdempotencyRequest>,
) -> Result<JobId, UseCaseError> {
    let unshare = (Task::Unshare, ImageAction::Unshare);
    accept_owner_request(app, caller, unshare, (images, recipients.into()), idempotency).await
}
