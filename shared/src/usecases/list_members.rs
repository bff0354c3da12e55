//! List and show the members of an image.

use super::access::{MemberAction, authorize};
use super::error::UseCaseError;
use super::page::Page;
use crate::App;
use crate::domain::{
    Caller, Denied, ImageAction, ImageHead, ImageId, MemberView, NamedMembership, Status, TenantId,
    sees_all_members,
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
    Ok(list_members_by_status(app, caller, id, None, (after, limit)).await?.page)
}

/// A page of the members of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberList {
    /// The page.
    pub page: Page<MemberView, TenantId>,
    /// How many members the image has; `None` unless all of them were read for this page, for its owner.
    pub counts: Option<MemberCounts>,
}

/// How many members an image has, by status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemberCounts {
    /// Those that have not decided.
    pub pending: usize,
    /// Those that have accepted.
    pub accepted: usize,
    /// Those that have rejected.
    pub rejected: usize,
}

/// The members that one query reads for a list with a status.
const MEMBERS_PER_QUERY: usize = 1_000;

/// Lists the members of an image as [`list_members`] does, only those with `status` if it is given. Costs one batch
/// read, and for the owner one query; with a status, one query for every 1,000 members until the page is full.
///
/// # Errors
/// [`UseCaseError`]
pub async fn list_members_by_status(
    app: &App,
    caller: &Caller,
    id: &ImageId,
    status: Option<Status>,
    (after, limit): (Option<&TenantId>, usize),
) -> Result<MemberList, UseCaseError> {
    let pair = (id, &caller.tenant);
    let (image, own) = load_member(app, caller, pair, |_| ImageAction::ListMembers).await?;
    let is_listed = |member: &MemberView| status.is_none_or(|status| member.status == status);
    if !sees_all_members(caller, &image) {
        let is_after = |member: &MemberView| after.is_none_or(|after| member.tenant > *after);
        let members = own.into_iter().filter(is_after).filter(is_listed).take(limit);
        return Ok(MemberList { page: Page { items: members.collect(), next: None }, counts: None });
    }
    let per_query = if status.is_some() { MEMBERS_PER_QUERY } else { limit };
    let (mut members, mut counts, mut last) = (Vec::new(), MemberCounts::default(), after.cloned());
    loop {
        let (read, more) = app.store.members(id, last.as_ref(), per_query).await?;
        for member in &read {
            counts.add(member.status);
        }
        last = read.last().map(|member| member.tenant.clone()).or(last);
        members.extend(read.into_iter().filter(is_listed));
        if !more || members.len() > limit || status.is_none() {
            let is_cut = members.len() > limit;
            members.truncate(limit);
            let page = Page::new(members, is_cut || more, |last| last.tenant.clone());
            return Ok(MemberList { page, counts: (after.is_none() && !more).then_some(counts) });
        }
    }
}

impl MemberCounts {
    fn add(&mut self, status: Status) {
        *match status {
            Status::Pending => &mut self.pending,
            Status::Accepted => &mut self.accepted,
            Status::Rejected => &mut self.rejected,
        } += 1;
    }
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
