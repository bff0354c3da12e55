//! Show the limits of a project, and how much of them it uses.

use super::UseCaseError;
use crate::App;
use crate::domain::{Caller, Status};
use crate::store::List;

/// The count at which a list is no longer counted further, so that the cost does not grow with the list.
const MAX_COUNT: usize = 1_000;

/// The limits of a project, and what it uses of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// The images that it owns.
    pub images: u32,
    /// The limit of images that it owns.
    pub max_images: u32,
    /// The images shared with it that it has accepted, counted up to [`MAX_COUNT`]. No limit applies to them (seed
    /// 002).
    pub accepted_images: usize,
    /// The images pending for it, counted up to [`MAX_COUNT`].
    pub pending_images: usize,
    /// The limit of images pending for it.
    pub max_pending_images: u32,
    /// The limit of images of one owner pending for it.
    pub max_pending_per_owner: u32,
    /// The recipient limit of each of its images.
    pub max_members_per_image: u32,
    /// The recipient limit of each of its full-ECS images.
    pub max_members_per_full_ecs_image: u32,
}

/// Returns the limits of the caller's project and what it uses of them. Costs one read, and one query of at most
/// [`MAX_COUNT`] entries for each of the two lists.
///
/// # Errors
/// [`UseCaseError::Store`] if the table failed.
pub async fn quota(app: &App, caller: &Caller) -> Result<Quota, UseCaseError> {
    let list = |status| List::Received(caller.tenant.clone(), status);
    let (store, limits) = (&app.store, &app.settings.limits);
    let (accepted, pending) = (list(Status::Accepted), list(Status::Pending));
    let (images, accepted_images, pending_images) = tokio::try_join!(
        store.image_count(&caller.tenant),
        store.count_list(&accepted, MAX_COUNT),
        store.count_list(&pending, MAX_COUNT),
    )?;
    Ok(Quota {
        images,
        max_images: limits.images_per_tenant,
        accepted_images,
        pending_images,
        max_pending_images: limits.pending_per_tenant,
        max_pending_per_owner: limits.pending_per_owner,
        max_members_per_image: limits.members_per_image,
        max_members_per_full_ecs_image: limits.members_per_full_ecs_image,
    })
}
