//! The errors that the service is expected to return.

use imageshare::domain::{Denied, ImageId, Limits, NotShared, Role, ShareRequestError, TenantId, Visibility};
use imageshare::usecases::UseCaseError;

use crate::state::State;

/// The error for an image that the caller does not see: it is not found.
pub fn image_not_found(state: &State, by: &TenantId, id: &ImageId) -> Option<UseCaseError> {
    let sees = state.image(id).is_some_and(|image| {
        image.owner == *by
            || image.visibility.is_visible_to_all()
            || (image.visibility == Visibility::Shared && state.is_member(id, by))
    });
    (!sees).then(|| Denied::ImageNotFound(id.clone()).into())
}

/// The error for the first image that the caller does not own.
pub fn not_owner(state: &State, by: &TenantId, images: &[ImageId]) -> Option<UseCaseError> {
    let id = images.iter().find(|id| state.image(id).is_none_or(|image| image.owner != *by))?;
    image_not_found(state, by, id).or_else(|| Some(Denied::NotOwner(id.clone()).into()))
}

pub fn not_shared(state: &State, id: &ImageId) -> Option<NotShared> {
    let visibility = state.image(id)?.visibility;
    (visibility != Visibility::Shared).then(|| NotShared { image: id.clone(), visibility })
}

/// The error of a request to share an image that is not `shared`.
pub fn unshareable(state: &State, id: &ImageId) -> Option<UseCaseError> {
    not_shared(state, id).map(|problem| ShareRequestError::from(problem).into())
}

pub fn self_share(owner: &TenantId) -> UseCaseError {
    ShareRequestError::SelfShare(owner.clone()).into()
}

/// The error of what only an admin may do. Every caller here is a member.
pub fn admin_only() -> UseCaseError {
    Denied::AdminOnly(Role::Member).into()
}

pub fn other_project_refusals(by: &TenantId, named: &TenantId) -> Vec<UseCaseError> {
    let refusal = Denied::ProjectMismatch { acting: by.clone(), named: named.clone() };
    Some(refusal.into()).filter(|_| by != named).into_iter().collect()
}

pub fn exceeds_member_limit(state: &State, limits: &Limits, image: &ImageId, more: usize) -> bool {
    state.member_count(image) + more > limits.members_per_image as usize
}

pub fn member_limit_refusal(state: &State, limits: &Limits, id: &ImageId) -> UseCaseError {
    let members = u32::try_from(state.member_count(id)).unwrap_or(u32::MAX);
    UseCaseError::MemberLimit { image: id.clone(), members, most: limits.members_per_image }
}
