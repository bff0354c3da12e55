//! The images that other tenants have shared with a project, each with what its membership says.

use std::collections::{BTreeSet, HashSet};

use super::list_images::{ListReason, VisibleImage, list_reason};
use super::{Page, UseCaseError};
use crate::App;
use crate::domain::{Bypass, Caller, Encryption, Image, ImageId, KeyGrant, MemberView, Status};
use crate::store::{ImageFetch, List, Order, Position, StoreError};

/// An image that is shared with the caller's project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedImage {
    /// The image.
    pub visible: VisibleImage,
    /// The project's membership.
    pub member: MemberView,
}

/// Lists the images that are shared with the caller's project and that it has decided on so, or has yet to: at most
/// `limit`, after `after`, the newest image first. An image that its owner hides, or whose membership has just changed,
/// is left out, so a page may be shorter than its limit and not the last.
///
/// Costs one query of keys, and one batch read for every 50 images, of a unit for each image while it is small. That does
/// not grow with the list.
///
/// # Errors
/// [`UseCaseError::Store`] if the table failed.
pub async fn list_received(
    app: &App,
    caller: &Caller,
    status: Status,
    after: Option<&Position>,
    limit: usize,
) -> Result<Page<ReceivedImage, Position>, UseCaseError> {
    let list = List::Received(caller.tenant.clone(), status);
    // One more than the limit, to know whether there are more.
    let mut found = app.store.positions(&list, after, Order::NewestFirst, limit + 1).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let ids: Vec<_> = found.iter().map(|position| &position.image).collect();
    let items = read(app, caller, &ids, &[list]).await?;
    Ok(Page { items, next: found.pop().filter(|_| more) })
}

/// Returns those of the images with these ids that are shared with the caller's project, in the order of the ids. An
/// image that its owner hides is left out, and so is one that does not exist. Costs one batch read for every 50.
///
/// # Errors
/// [`UseCaseError::Store`] if the table failed.
pub async fn find_received(
    app: &App,
    caller: &Caller,
    images: &[ImageId],
) -> Result<Vec<ReceivedImage>, UseCaseError> {
    let lists: Vec<_> =
        Status::ALL.into_iter().map(|status| List::Received(caller.tenant.clone(), status)).collect();
    Ok(read(app, caller, &images.iter().collect::<Vec<_>>(), &lists).await?)
}

/// Returns the encrypted ones of some received images whose key the owner still grants to the caller's project. Costs one
/// batch read for every 100 keys; nothing if no image is encrypted under a key of its owner.
///
/// # Errors
/// [`UseCaseError::Store`] if the table failed.
pub async fn images_with_granted_key(
    app: &App,
    caller: &Caller,
    images: impl IntoIterator<Item = &ReceivedImage>,
) -> Result<HashSet<ImageId>, UseCaseError> {
    let of_image = |ReceivedImage { visible: VisibleImage { image, .. }, .. }: &ReceivedImage| {
        let Encryption::Key(key) = image.details.encryption() else { return None };
        let grant = KeyGrant { owner: image.owner.clone(), key, tenant: caller.tenant.clone() };
        Some((image.id.clone(), grant))
    };
    let needed: Vec<_> = images.into_iter().filter_map(of_image).collect();
    let grants: BTreeSet<_> = needed.iter().map(|(_, grant)| grant.clone()).collect();
    let missing = app.store.missing_key_grants(grants.into_iter().collect()).await?;
    Ok(needed.into_iter().filter(|(_, grant)| !missing.contains(grant)).map(|(image, _)| image).collect())
}

/// Reads images with the caller's memberships, and keeps those that are in one of the lists.
async fn read(
    app: &App,
    caller: &Caller,
    ids: &[&ImageId],
    lists: &[List],
) -> Result<Vec<ReceivedImage>, StoreError> {
    let fetch = ImageFetch {
        images: ids.to_vec(),
        with_member: ids.to_vec(),
        tenant: Some(&caller.tenant),
        ..ImageFetch::default()
    };
    let mut found = app.store.listed_images(&fetch).await?;
    let received = |id: &&ImageId| {
        let listed = found.remove(*id)?;
        let image: Image = listed.image.bypass(Bypass::List);
        let member = listed.member?;
        let reason = list_reason(lists, &image, Some(member.status))?;
        let is_received = matches!(reason, ListReason::Received(_));
        is_received.then_some(ReceivedImage { visible: VisibleImage { image, reason, members: 0 }, member })
    };
    Ok(ids.iter().filter_map(received).collect())
}
