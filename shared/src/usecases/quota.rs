//! See how much of what is allowed is used.

use super::UseCaseError;
use crate::App;
use crate::domain::{Caller, Status};
use crate::store::List;

/// Lists are counted no further than this, so that the answer costs the same however long they are.
pub const MAX_COUNT: usize = 1_000;

/// What the caller's project uses, and what it may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// Images that it owns.
    pub images: u32,
    /// Images that it may own.
    pub max_images: u32,
    /// Images of others that it has accepted, counted up to [`MAX_COUNT`]. They count against no limit (seed 002).
    pub accepted_images: usize,
    /// Images of others that wait for its answer, counted up to [`MAX_COUNT`].
    pub pending_images: usize,
    /// Images that may wait for its answer.
    pub max_pending_images: u32,
    /// Images of one owner that may wait for its answer.
    pub max_pending_per_owner: u32,
    /// Recipients that each of its images may have.
    pub max_members_per_image: u32,
    /// Recipients that each of its full-ECS images may have.
    pub max_members_per_full_ecs_image: u32,
}

/// Counts what the caller's project uses. One read, and one query for each of the two lists, of at most [`MAX_COUNT`] places.
///
/// # Errors
/// [`UseCaseError::Store`] where the table failed.
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
