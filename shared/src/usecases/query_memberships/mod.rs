//! Query many memberships in one request: those of the images that a project owns, or those that it has received.
//!
//! A query goes through images in order ([`walk`]): those that it names, or those of the project's lists. Every image
//! is read and authorized, so an image that the project may not see, or whose visibility is not `shared`, is left out.
//!
//! A request reads at most [`MAX_READS`](query::MAX_READS) images and memberships beyond its first step, and then returns
//! a page that may be shorter than its limit, or empty, with the position where the next one continues.

mod owned;
mod position;
mod query;
mod received;
mod walk;

pub use self::position::MembershipPosition;
pub use self::query::{MembershipPage, MembershipQuery, MembershipRow};
use super::UseCaseError;
use crate::App;
use crate::domain::{Audience, Caller, authorize_project};

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
