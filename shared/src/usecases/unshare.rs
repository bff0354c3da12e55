//! Stop sharing images with tenants.

use super::Refusal;
use super::share::{owned_images, submit};
use crate::Service;
use crate::domain::{Caller, ImageId, JobId, Task, TenantId};
use crate::store::Remembered;

/// Checks that the caller owns every image, and accepts a job that ends each tenant's membership of each image. A tenant
/// that is no member is no error (`contract/decisions.md` 7). Returns the job's id.
///
/// One batch read and one transaction.
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
    owned_images(service, caller, &images).await?;
    submit(service, caller, Task::Unshare, images, tenants, remembered).await
}
