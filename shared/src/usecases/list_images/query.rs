//! What is listed.

use super::order::Sort;
use crate::domain::TenantId;
use crate::store::List;
use crate::usecases::marker::Marker;

/// The most images that are sorted in an order that no index has.
pub(super) const MAX_SORTED: usize = 10_000;

/// Images that one batch read takes.
pub(super) const MAX_IMAGES_PER_READ: usize = 100;

/// What to list.
#[derive(Debug)]
pub struct ImageQuery<F> {
    /// The lists to merge; an image that stands in several is shown as in the first. Those received are the caller's.
    pub lists: Vec<List>,
    /// Which of their images are wanted.
    pub filter: F,
    /// What all of these have, to find them by: `matches` must be false for every other image.
    pub index_filter: IndexFilter,
    /// Whether `matches`, or the caller, looks at the number of members.
    pub needs_member_counts: bool,
    /// In which order.
    pub sort: Sort,
    /// After which image.
    pub after: Option<Marker>,
    /// How many images a page holds at the most.
    pub limit: usize,
}

/// What every image that a query wants has, exactly: it is found by an index of that rather than by looking at every image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IndexFilter {
    /// Its name is one of these.
    pub names: Option<Vec<String>>,
    /// It has each of these tags.
    pub tags: Vec<String>,
    /// It is owned by that tenant.
    pub owner: Option<TenantId>,
}
