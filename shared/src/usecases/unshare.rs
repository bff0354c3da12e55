//! Stop sharing images with tenants.

use super::Refusal;
use super::share::owners_request;
use crate::Service;
use crate::domain::{Addressees, Caller, ImageId, JobId, Task};
use crate::store::Remembered;

/// Checks that the caller owns every image, and ends each tenant's membership of each image, in a job: at once where one
/// transaction holds it, else soon. A tenant that is no member is no error (`contract/decisions.md` 7). Returns the job's id.
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
    owners_request(service, caller, (Task::Unshare, images, from.into()), remembered).await
}
