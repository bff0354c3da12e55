//! The images that a query goes through, in order.

use std::collections::BTreeSet;
use std::ops::Bound;

use super::position::MembershipPosition;
use super::query::MembershipQuery;
use crate::domain::{ImageId, Timestamp};
use crate::store::{Cursor, ListQuery, MAX_SKIPPED_ENTRIES, Order, Position, Store};
use crate::usecases::UseCaseError;

/// A walk through the images that a query names, by id, or otherwise through lists, the newest image first.
#[derive(Debug)]
pub(super) struct ImageWalk<'a> {
    named: Option<&'a BTreeSet<ImageId>>,
    lists: Vec<ListQuery>,
    /// The list that it has come to.
    list: usize,
    /// The last image that it has returned of that list.
    after: Option<Position>,
    /// An image of which some members are left. It comes first.
    unfinished: Option<Position>,
}

impl<'a> ImageWalk<'a> {
    /// Starts after a position. `lists` are for a query that names no images.
    pub(super) fn start(
        query: &'a MembershipQuery,
        lists: Vec<ListQuery>,
        after: Option<&MembershipPosition>,
    ) -> Self {
        let unfinished = after.filter(|after| after.member.is_some()).map(|after| after.image.clone());
        Self {
            named: query.images.as_ref(),
            lists,
            list: after.map_or(0, |after| after.list),
            after: after.map(|after| after.image.clone()),
            unfinished,
        }
    }

    /// Whether it has returned the last image.
    pub(super) fn is_done(&self) -> bool {
        let lists = if self.named.is_some() { 1 } else { self.lists.len() };
        self.list >= lists && self.unfinished.is_none()
    }

    /// Returns the next images of one list, at most `count`, and the number of the list. There are none only at the end.
    /// Costs one query, or nothing if the images are named.
    pub(super) async fn next(
        &mut self,
        store: &Store,
        count: usize,
    ) -> Result<(usize, Vec<Position>), UseCaseError> {
        let mut images: Vec<_> = self.unfinished.take().into_iter().collect();
        loop {
            let list = self.list;
            if self.is_done() || images.len() >= count {
                return Ok((list, images));
            }
            let wanted = count - images.len();
            let (found, is_last) = match self.named {
                Some(named) => self.next_named(named, wanted),
                None => self.next_listed(store, wanted).await?,
            };
            images.extend(found);
            if is_last {
                (self.list, self.after) = (list + 1, None);
            } else {
                self.after = images.last().cloned();
            }
            if !images.is_empty() {
                return Ok((list, images));
            }
        }
    }

    /// Goes back: the next images are those after this one.
    pub(super) fn go_back_to(&mut self, list: usize, image: &Position) {
        (self.list, self.after) = (list, Some(image.clone()));
    }

    fn next_named(&self, named: &BTreeSet<ImageId>, count: usize) -> (Vec<Position>, bool) {
        let after = self.after.as_ref().map_or(Bound::Unbounded, |after| Bound::Excluded(&after.image));
        let mut left = named.range::<ImageId, _>((after, Bound::Unbounded));
        let position =
            |image: &ImageId| Position { created: Timestamp::from_unix_millis(0), image: image.clone() };
        let found = left.by_ref().take(count).map(position).collect();
        (found, left.next().is_none())
    }

    async fn next_listed(&self, store: &Store, count: usize) -> Result<(Vec<Position>, bool), UseCaseError> {
        let Some(list) = self.lists.get(self.list) else { return Ok((Vec::new(), true)) };
        let after = self.after.clone().map(Cursor::from);
        let page = store.query_list(list, after.as_ref(), Order::NewestFirst, count).await?;
        if page.is_truncated && page.cursors.is_empty() {
            return Err(UseCaseError::ScanLimitReached { examined: MAX_SKIPPED_ENTRIES, next: None });
        }
        let is_last = page.cursors.len() < count && !page.is_truncated;
        Ok((page.cursors.into_iter().map(|cursor| cursor.position).collect(), is_last))
    }
}
