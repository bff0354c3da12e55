//! Accept or reject images that others share.

use super::Refusal;
use super::share::submit;
use crate::Service;
use crate::domain::{Caller, ImageId, JobId, Status, Task, TenantId, VaultId};
use crate::store::Remembered;

/// Checks that the caller acts for the recipient, and accepts a job that gives its answer to each image. Returns the
/// job's id.
///
/// Whether an image exists is not looked at here: in the job, an image that is not shared with the recipient and one
/// that does not exist fail alike, so that nobody learns of images by answering. One transaction.
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
    submit(service, caller, Task::Respond { status, vault }, images, vec![recipient], remembered).await
}

/// Checks that the caller acts for the recipient, and accepts a job that gives one answer to every image that waits for it
/// now, however many. Returns the job's id. One read and one write.
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
    let (_, expected) = service.store.image_counts(&recipient).await?;
    let task = Task::RespondToAll { status, vault, expected };
    submit(service, caller, task, Vec::new(), vec![recipient], remembered).await
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
