//! Accept or reject images that others share.

use super::Refusal;
use super::accept::{Batch, accept, queue_answer_to_all};
use crate::Service;
use crate::domain::{Caller, ImageId, JobId, Status, Task, TenantId, VaultId};
use crate::store::Remembered;

/// Checks that the caller acts for the recipient, and gives its answer to each image, in a job: at once where one
/// transaction holds it and nothing older is left to do to the images, else soon. Returns the job's id.
///
/// In the job, an image that is not shared with the recipient and one that does not exist fail alike, so that nobody learns
/// of images by answering. Two batch reads and one transaction.
///
/// # Errors
/// [`Refusal`]; then no job was made.
pub async fn respond(
    service: &Service,
    caller: &Caller,
    recipient: TenantId,
    images: Vec<ImageId>,
    (status, vault): (Status, Option<VaultId>),
    remembered: Option<Remembered>,
) -> Result<JobId, Refusal> {
    may_answer(caller, &recipient)?;
    let task = Task::Respond { status, vault };
    let batch = Batch { task, images, tenants: vec![recipient], remembered };
    accept(service, caller, batch).await
}

/// Checks that the caller acts for the recipient, and accepts a job that gives one answer to every image that waits for it
/// now, however many. Returns the job's id. One read, one transaction, and a count of the inbox unless it was counted a
/// moment ago.
///
/// # Errors
/// [`Refusal`]; then no job was made.
pub async fn respond_to_all(
    service: &Service,
    caller: &Caller,
    recipient: TenantId,
    (status, vault): (Status, Option<VaultId>),
    remembered: Option<Remembered>,
) -> Result<JobId, Refusal> {
    may_answer(caller, &recipient)?;
    let expected = service.store.inbox(&recipient).await?.waiting;
    let task = Task::RespondToAll { status, vault, expected };
    let batch = Batch { task, images: Vec::new(), tenants: vec![recipient], remembered };
    queue_answer_to_all(service, caller, &batch).await
}

fn may_answer(caller: &Caller, recipient: &TenantId) -> Result<(), Refusal> {
    if !caller.can_act() {
        return Err(Refusal::ReadOnly);
    }
    if !caller.acts_for(recipient) {
        return Err(Refusal::OtherProject { acting: caller.tenant.clone(), named: recipient.clone() });
    }
    Ok(())
}
