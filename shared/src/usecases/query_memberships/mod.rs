//! Query many memberships in one request: those of the images that a project owns, or those that it has received.
//!
//! A query goes through images in order ([`walk`]): those that it names, or those of the project's lists. Every image
//! is read and authorized, so an image that the project may not see, or whose visibility is not `shared`, is left out.
//!
//! A request reads at most [`MAX_READS`] images and memberships beyond its first step, and then returns a page that may
//! be shorter than its limit, or empty, with the position where the next one continues.

mod owned;
mod position;
mod received;
mod walk;

use std::collections::BTreeSet;

pub use self::position::MembershipPosition;
use super::{Page, UseCaseError};
use crate::App;
use crate::domain::{Audience, Caller, ImageHead, ImageId, MemberView, Status, TenantId, authorize_project};

/// The images and memberships after which a request reads no further ones.
const MAX_READS: usize = 2_000;

/// Which memberships a query returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipQuery {
    /// The project whose memberships they are.
    pub project: TenantId,
    /// Whether the project owns the images, or has received them.
    pub side: Audience,
    /// Only those of these images.
    pub images: Option<BTreeSet<ImageId>>,
    /// Only those with these tenants on the other side: the recipients, or the owners.
    pub counterparts: Option<BTreeSet<TenantId>>,
    /// Only those with one of these statuses.
    pub statuses: BTreeSet<Status>,
}

/// A membership, with its image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipRow {
    /// The image.
    pub image: ImageHead,
    /// The membership.
    pub member: MemberView,
}

/// A page of memberships.
pub type MembershipPage = Page<MembershipRow, MembershipPosition>;

/// Returns the memberships that a query selects: at most `limit`, after `after`. They are in the order of image ids if
/// the query names images, otherwise the newest image first, by status on the recipient's side; those of one image are
/// in the order of tenant ids.
///
/// Costs one batch read for every 100 images, and one for every 100 pairs. For an owner that names no recipients, or
/// many of those that an image has, one query for each image with members instead of the pairs. Without images, one
/// query more for each list, at least.
///
/// # Errors
/// [`Denied::ProjectMismatch`](crate::domain::Denied::ProjectMismatch), [`UseCaseError::ScanLimitReached`] if none of
/// very many entries is of one of the owners, and [`UseCaseError::Store`].
pub async fn query_memberships(
    app: &App,
    caller: &Caller,
    query: &MembershipQuery,
    after: Option<MembershipPosition>,
    limit: usize,
) -> Result<MembershipPage, UseCaseError> {
    authorize_project(caller, &query.project)?;
    match query.side {
        Audience::Owner => owned::read_page(app, caller, query, after, limit).await,
        Audience::Recipient => received::read_page(app, caller, query, after, limit).await,
    }
}
