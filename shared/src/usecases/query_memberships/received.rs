//! The memberships that a project has received.

use std::collections::HashMap;

use super::position::MembershipPosition;
use super::query::{MAX_READS, MembershipPage, MembershipQuery, MembershipRow};
use super::walk::ImageWalk;
use crate::App;
use crate::domain::{Caller, ImageAction, ImageId, MemberView, NamedMembership, Status};
use crate::store::{List, ListQuery, Position};
use crate::usecases::{Page, UseCaseError};

/// The fewest images of a step.
const MIN_STEP: usize = 100;

/// Reads a page. Each image has one membership of the project, so a step never has more than fit on the page.
pub(super) async fn read_page(
    app: &App,
    caller: &Caller,
    query: &MembershipQuery,
    after: Option<MembershipPosition>,
    limit: usize,
) -> Result<MembershipPage, UseCaseError> {
    let statuses: Vec<_> = query.statuses.iter().copied().collect();
    let mut walk = ImageWalk::start(query, lists(query, &statuses), after.as_ref());
    let (mut rows, mut reads) = (Vec::new(), 0);
    loop {
        let (list, images) = walk.next(&app.store, limit.max(MIN_STEP)).await?;
        // An image that has left the list since is in another one.
        let listed = statuses.get(list).copied().filter(|_| query.images.is_none());
        let mut found = read_memberships(app, caller, query, &images).await?;
        reads += 2 * images.len();
        for (number, image) in images.iter().enumerate() {
            let row = found.remove(&image.image);
            rows.extend(row.filter(|row| listed.is_none_or(|status| row.member.status == status)));
            let is_last = number + 1 == images.len();
            let must_end = rows.len() == limit || is_last && reads >= MAX_READS;
            if must_end && !(is_last && walk.is_done()) {
                let next = MembershipPosition { list, image: image.clone(), member: None };
                return Ok(Page { items: rows, next: Some(next) });
            }
        }
        if walk.is_done() {
            return Ok(Page { items: rows, next: None });
        }
    }
}

/// The lists of received images, for a query that names none.
fn lists(query: &MembershipQuery, statuses: &[Status]) -> Vec<ListQuery> {
    let list = |status| {
        let list = List::Received(query.project.clone(), status);
        match &query.counterparts {
            None => ListQuery::ByCreation(list),
            Some(owners) => ListQuery::ByOwners(list, owners.clone()),
        }
    };
    statuses.iter().copied().map(list).collect()
}

/// Reads the memberships of the project that the query selects, by image.
async fn read_memberships(
    app: &App,
    caller: &Caller,
    query: &MembershipQuery,
    images: &[Position],
) -> Result<HashMap<ImageId, MembershipRow>, UseCaseError> {
    let pairs: Vec<_> = images.iter().map(|position| (&position.image, &query.project)).collect();
    let (mut heads, members) = tokio::try_join!(
        app.store.heads(images.iter().map(|position| &position.image)),
        app.store.members_of_pairs(&pairs)
    )?;
    let is_selected = |member: &MemberView| query.statuses.contains(&member.status);
    let rows = members.into_iter().filter(is_selected).filter_map(|member| {
        let status = Some(member.status);
        let named = NamedMembership { tenant: &query.project, status };
        let image = heads.remove(&member.image)?;
        let image = image.authorize(caller, status, ImageAction::ViewMember(named)).ok()?;
        let is_selected = query.counterparts.as_ref().is_none_or(|owners| owners.contains(&image.owner));
        is_selected.then(|| (image.id.clone(), MembershipRow { image, member }))
    });
    Ok(rows.collect())
}
