//! The query of a list of images.

use super::order::Sort;
use crate::domain::TenantId;
use crate::store::List;
use crate::usecases::marker::Marker;

/// The most images that are sorted in an order that no index has.
pub(super) const MAX_SORTED: usize = 10_000;

/// The most images of one batch read.
pub(super) const MAX_IMAGES_PER_READ: usize = 100;

/// The images to list, and in which order.
#[derive(Debug)]
pub struct ImageQuery<F> {
    /// The lists to merge. An image in several lists has the reason of the first. Received lists are the caller's.
    pub lists: Vec<List>,
    /// Whether an image matches.
    pub filter: F,
    /// Exact values of the matching images, to find them by an index. `filter` has to exclude all other images.
    pub index_filter: IndexFilter,
    /// Whether `filter`, or the user of the result, needs the member counts.
    pub needs_member_counts: bool,
    /// The order of the images.
    pub sort: Sort,
    /// The marker after which the page begins.
    pub after: Option<Marker>,
    /// The most images on the page.
    pub limit: usize,
}

/// Values that every image of a query has exactly. Images are found by an index of these, instead of reading every
/// image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IndexFilter {
    /// The image's name is one of these.
    pub names: Option<Vec<String>>,
    /// The image has all of these tags.
    pub tags: Vec<String>,
    /// The image's owner is this tenant.
    pub owner: Option<TenantId>,
}
