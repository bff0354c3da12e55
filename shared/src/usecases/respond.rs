//! Accept or reject images that other tenants share.

use std::collections::BTreeSet;

use super::UseCaseError;
use super::accept_batch::{BatchRequest, accept, queue_respond_to_all};
use crate::App;
use crate::domain::{Caller, ImageId, JobId, Status, Task, TenantId, VaultId, authorize_write_for};
use crate::store::IdempotencyRequest;

/// Records the recipient's decision on each image, in a job. The caller has to act for the recipient. Returns the
/// job's id. The job is executed before the response if it fits into one transaction and no earlier job on the images
/// is open, and queued otherwise.
///
/// In the job, an image that is not shared with the recipient and one that does not exist fail alike, so that a
/// decision reveals no images. Costs two batch reads and one transaction.
///
/// # Errors
/// [`UseCaseError`]; then no job was created, unless the error is [`InDoubt`](crate::store::StoreError::InDoubt).
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
    let batch = BatchRequest { task, images, tenants: vec![recipient], idempotency, may_repeat: false };
    accept(app, caller, batch).await
}

/// Queues a job that records one decision on every image now pending for the recipient, however many. The caller has
/// to act for the recipient. Returns the job's id. Costs one read, one transaction, and a count of the inbox unless
/// the count is cached.
///
/// # Errors
/// [`UseCaseError`]; then no job was created, unless the error is [`InDoubt`](crate::store::StoreError::InDoubt).
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
    queue(app, caller, recipient, task, idempotency).await
}

/// Queues a job that records one decision on every image of some owners that is now pending for the recipient
/// (`contract/decisions.md` 31). An owner that has shared nothing is no error. Costs what [`respond_to_all`] does.
///
/// # Errors
/// [`UseCaseError`]; then no job was created, unless the error is [`InDoubt`](crate::store::StoreError::InDoubt).
pub async fn respond_to_owners(
    app: &App,
    caller: &Caller,
    recipient: TenantId,
    owners: BTreeSet<TenantId>,
    (status, vault): (Status, Option<VaultId>),
    idempotency: Option<IdempotencyRequest>,
) -> Result<JobId, UseCaseError> {
    authorize_write_for(caller, &recipient)?;
    let inbox = app.store.inbox(&recipient).await?;
    let expected = owners.iter().filter_map(|owner| inbox.pending_by_owner.get(owner)).sum();
    let task = Task::RespondToOwners { owners, status, vault, expected };
    queue(app, caller, recipient, task, idempotency).await
}

/// Queues a job that finds its images itself.
async fn queue(
    app: &App,
    caller: &Caller,
    recipient: TenantId,
    task: Task,
    idempotency: Option<IdempotencyRequest>,
) -> Result<JobId, UseCaseError> {
    let batch =
        BatchRequest { task, images: Vec::new(), tenants: vec![recipient], idempotency, may_repeat: false };
    queue_respond_to_all(app, caller, &batch).await
}
