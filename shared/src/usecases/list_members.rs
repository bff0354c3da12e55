//! List and show the members of an image.

use super::access::{MemberAction, authorize};
use super::error::UseCaseError;
use super::page::Page;
use crate::App;
use crate::domain::{
    Caller, Denied, ImageAction, ImageHead, ImageId, MemberView, NamedMembership, TenantId, sees_all_members,
};
use crate::store::Pair;

/// Lists the members of an image: at most `limit`, after tenant `after`. The owner sees all of them, a member only
/// itself (`contract/glance.md` 2.4). Costs one batch read, and one query for the owner.
///
/// # Errors
/// [`UseCaseError`]
pub async fn list_members(
    app: &App,
    caller: &Caller,
    id: &ImageId,
    after: Option<&TenantId>,
    limit: usize,
) -> Result<Page<MemberView, TenantId>, UseCaseError> {
    let pair = (id, &caller.tenant);
    let (image, own) = load_member(app, caller, pair, |_| ImageAction::ListMembers).await?;
    if !sees_all_members(caller, &image) {
        let members =
            own.into_iter().filter(|member| after.is_none_or(|after| member.tenant > *after)).take(limit);
        return Ok(Page { items: members.collect(), next: None });
    }
    let (members, more) = app.store.members(id, after, limit).await?;
    Ok(Page::new(members, more, |last| last.tenant.clone()))
}

/// Returns one member of an image, to the image's owner and to that member. Costs one batch read.
///
/// # Errors
/// [`UseCaseError`]
pub async fn show_member(
    app: &App,
    caller: &Caller,
    id: &ImageId,
    tenant: &TenantId,
) -> Result<MemberView, UseCaseError> {
    let (_, member) = load_member(app, caller, (id, tenant), ImageAction::ViewMember).await?;
    Ok(member.ok_or_else(|| Denied::MemberNotFound { image: id.clone(), tenant: tenant.clone() })?)
}

/// Reads an image and the membership of one tenant, if the caller is authorized for the action. Costs one batch read,
/// and one read more if the caller is neither the owner nor that tenant.
async fn load_member<'a>(
    app: &App,
    caller: &Caller,
    (id, tenant): Pair<'a>,
    action: MemberAction<'a>,
) -> Result<(ImageHead, Option<MemberView>), UseCaseError> {
    let (image, member) = app.store.head_and_member(id, tenant).await?;
    let named = NamedMembership { tenant, status: member.as_ref().map(|member| member.status) };
    let image = authorize(app, caller, id, image, Some(named), action(named)).await?;
    Ok((image, member))
}
