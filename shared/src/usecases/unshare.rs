//! Stop sharing images with tenants.

use super::Refusal;
use super::share::{owned_images, submit, unless_accepted_before};
use crate::Service;
use crate::domain::{Caller, ImageId, JobId, Task, TenantId};
use crate::store::Remembered;

/// Checks that the caller owns every image, and accepts a job that ends each tenant's membership of each image. A tenant
/// that is no member is no error (`contract/decisions.md` 7). Returns the job's id.
///
/// One batch read and one transaction; one read more where a request with a key is refused.
///
/// # Errors
/// [`Refusal`]; then no job was made.
pub async fn unshare(
    service: &Service,
    caller: &Caller,
    images: Vec<ImageId>,
    tenants: Vec<TenantId>,
    remembered: Option<Remembered>,
) -> Result<JobId, Refusal> {
    match owned_images(service, caller, &images).await {
        Ok(_) => submit(service, caller, Task::Unshare, images, tenants, remembered).await,
        Err(refusal) => unless_accepted_before(service, remembered.as_ref(), refusal).await,
    }
}
