//! Stop sharing images with tenants.

use super::UseCaseError;
use super::share::accept_owner_request;
use crate::App;
use crate::domain::{Caller, ImageAction, ImageId, JobId, RecipientList, Task};
use crate::store::IdempotencyRequest;

/// Checks that the caller owns every image, and ends each tenant's membership of each image, in a job: at once where one
/// transaction holds it, else soon. A tenant that is no member is no error (`contract/decisions.md` 7). Returns the job's id.
///
/// One batch read and one transaction, and what the directory takes to find tenants by their names; one read more where a
/// request with a key is refused.
///
/// # Errors
/// [`UseCaseError`]; then no job was made.
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
