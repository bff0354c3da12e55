//! Accept or reject images that others share.

use super::UseCaseError;
use super::accept_batch::{BatchRequest, accept, queue_respond_to_all};
use crate::App;
use crate::domain::{Caller, ImageId, JobId, Status, Task, TenantId, VaultId, authorize_write_for};
use crate::store::IdempotencyRequest;

/// Checks that the caller acts for the recipient, and gives its answer to each image, in a job: at once where one
/// transaction holds it and nothing older is left to do to the images, else soon. Returns the job's id.
///
/// In the job, an image that is not shared with the recipient and one that does not exist fail alike, so that nobody learns
/// of images by answering. Two batch reads and one transaction.
///
/// # Errors
/// [`UseCaseError`]; then no job was made.
pub async fn respond(
    app: &App,
    caller: &Caller,
    recipient: TenantId,
    images: Vec<ImageId>,
    (status, vault): (Status, Option<VaultId>),
    idempotency: Option<IdempotencyRequest>,
) -> Result<JobId, UseCaseError> {
    authorize_write_for(caller, &recipient)?;
    let task = Task::Respond { status, vault };
    let batch = BatchRequest { task, images, tenants: vec![recipient], idempotency };
    accept(app, caller, batch).await
}

/// Checks that the caller acts for the recipient, and accepts a job that gives one answer to every image that waits for it
/// now, however many. Returns the job's id. One read, one transaction, and a count of the inbox unless it was counted a
/// moment ago.
///
/// # Errors
/// [`UseCaseError`]; then no job was made.
pub async fn respond_to_all(
    app: &App,
    caller: &Caller,
    recipient: TenantId,
    (status, vault): (Status, Option<VaultId>),
    idempotency: Option<IdempotencyRequest>,
) -> Result<JobId, UseCaseError> {
    authorize_write_for(caller, &recipient)?;
    let expected = app.store.inbox(&recipient).await?.pending;
    let task = Task::RespondToAll { status, vault, expected };
    let batch = BatchRequest { task, images: Vec::new(), tenants: vec![recipient], idempotency };
    queue_respond_to_all(app, caller, &batch).await
}
