//! Stop sharing images with tenants.

use super::Refusal;
use super::directory::tenants_of;
use super::share::{owned_images, submit, unless_accepted_before};
use crate::Service;
use crate::domain::{Addressees, Caller, ImageId, JobId, Task, TenantId};
use crate::store::Remembered;

/// Checks that the caller owns every image, and accepts a job that ends each tenant's membership of each image. A tenant
/// that is no member is no error (`contract/decisions.md` 7). Returns the job's id.
///
/// One batch read and one transaction, and what the directory takes to find tenants by their names; one read more where a
/// request with a key is refused.
///
/// # Errors
/// [`Refusal`]; then no job was made.
pub async fn unshare(
    service: &Service,
    caller: &Caller,
    images: Vec<ImageId>,
    from: impl Into<Addressees>,
    remembered: Option<Remembered>,
) -> Result<JobId, Refusal> {
    match check(service, caller, &images, from.into()).await {
        Ok(tenants) => submit(service, caller, Task::Unshare, images, tenants, remembered).await,
        Err(refusal) => unless_accepted_before(service, remembered.as_ref(), refusal).await,
    }
}

async fn check(
    service: &Service,
    caller: &Caller,
    images: &[ImageId],
    from: Addressees,
) -> Result<Vec<TenantId>, Refusal> {
    owned_images(service, caller, images).await?;
    tenants_of(service, from).await
}
