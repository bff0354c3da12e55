//! See with whom an image is shared.

use super::{Page, UseCaseError};
use crate::App;
use crate::domain::{Caller, ImageHead, ImageId, MemberView, TenantId, Visibility};

/// Lists the members of an image that come after `after`, at most `most`: all of them to its owner, to a member only
/// itself (`contract/glance.md` 2.4). One batch read, and for the owner one query.
///
/// # Errors
/// [`UseCaseError`]
pub async fn list_members(
    service: &App,
    caller: &Caller,
    id: &ImageId,
    after: Option<&TenantId>,
    limit: usize,
) -> Result<Page<MemberView, TenantId>, UseCaseError> {
    let (image, own) = load_shared_image(service, caller, id, &caller.tenant).await?;
    if !caller.can_read_for(&image.owner) {
        let members =
            own.into_iter().filter(|member| after.is_none_or(|after| member.tenant > *after)).take(limit);
        return Ok(Page { items: members.collect(), next: None });
    }
    let (members, more) = service.store.members(id, after, limit).await?;
    let next = members.last().filter(|_| more).map(|member| member.tenant.clone());
    Ok(Page { items: members, next })
}

/// Shows one member of an image, to the image's owner and to that member. One batch read.
///
/// # Errors
/// [`UseCaseError`]
pub async fn show_member(
    service: &App,
    caller: &Caller,
    id: &ImageId,
    tenant: &TenantId,
) -> Result<MemberView, UseCaseError> {
    let not_found = || UseCaseError::MemberNotFound { image: id.clone(), tenant: tenant.clone() };
    let (image, member) = load_shared_image(service, caller, id, tenant).await?;
    if !caller.can_read_for(&image.owner) && !caller.can_read_for(tenant) {
        return Err(not_found());
    }
    member.ok_or_else(not_found)
}

/// Reads an image that has members and that the caller can see, and the membership of one tenant.
async fn load_shared_image(
    service: &App,
    caller: &Caller,
    id: &ImageId,
    tenant: &TenantId,
) -> Result<(ImageHead, Option<MemberView>), UseCaseError> {
    let (image, member) = service.store.head_and_member(id, tenant).await?;
    require_shared_image(service, caller, id, image.as_ref(), tenant, member.is_some()).await?;
    Ok((image.ok_or_else(|| UseCaseError::ImageNotFound(id.clone()))?, member))
}

/// The image, provided that it has members and that the caller sees it: as its owner, or as a member of it. `is_member`
/// says whether `tenant` is one; about another one the table is asked.
pub(super) async fn require_shared_image<'a>(
    service: &App,
    caller: &Caller,
    id: &ImageId,
    image: Option<&'a ImageHead>,
    tenant: &TenantId,
    is_member: bool,
) -> Result<&'a ImageHead, UseCaseError> {
    let not_found = || UseCaseError::ImageNotFound(id.clone());
    let image = image.ok_or_else(not_found)?;
    let owns = caller.can_read_for(&image.owner);
    if image.visibility != Visibility::Shared {
        let visible = owns || image.visibility.is_visible_to_all();
        return Err(if visible {
            UseCaseError::NotShared { image: image.id.clone(), visibility: image.visibility }
        } else {
            not_found()
        });
    }
    let visible = owns
        || if *tenant == caller.tenant {
            is_member
        } else {
            service.store.head_and_member(id, &caller.tenant).await?.1.is_some()
        };
    if visible { Ok(image) } else { Err(not_found()) }
}
