//! The lists of the index: what a tenant owns, what it received, what is open to all. A list holds places only; the
//! images themselves are read from the table. And the lists that are a partition of the table, whose items are all there is.

use super::item::{self, Item};
use super::keys::{GSK, INDEX, Key, List, Position};
use super::{Store, StoreError};
use crate::table::{Attributes, Query};

/// In which order a list is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The newest image first.
    NewestFirst,
    /// The oldest image first.
    OldestFirst,
}

impl Store {
    /// At most `most` places of a list, those after `after` in that order. Fewer than `most` are the last.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn places(
        &self,
        list: &List,
        after: Option<&Position>,
        order: Order,
        most: usize,
    ) -> Result<Vec<Position>, StoreError> {
        let mut places = Vec::new();
        let mut after = after.cloned();
        while places.len() < most {
            let query = match (&after, order) {
                (None, _) => Query::new("gpk = :list"),
                (Some(place), Order::NewestFirst) => {
                    Query::new("gpk = :list AND gsk < :after").value(":after", item::text(place))
                }
                (Some(place), Order::OldestFirst) => {
                    Query::new("gpk = :list AND gsk > :after").value(":after", item::text(place))
                }
            };
            let query = Query {
                index: Some(INDEX),
                attributes: Attributes::These(&[GSK]),
                descending: order == Order::NewestFirst,
                most: Some(most - places.len()),
                ..query.value(":list", item::text(list))
            };
            let page = self.query(&query).await?;
            for found in &page.items {
                let place = Position::parse(item::get_text(found, GSK)?);
                places.push(place.ok_or(StoreError::Unreadable(GSK))?);
            }
            if page.next.is_none() {
                break;
            }
            after = places.last().cloned();
        }
        Ok(places)
    }

    /// The number of images of a list, counted no further than `most`: about 1 read unit for 50 images.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn count(&self, list: &List, most: usize) -> Result<usize, StoreError> {
        let mut count = 0;
        let query = Query::new("gpk = :list").value(":list", item::text(list));
        let mut query = Query { index: Some(INDEX), attributes: Attributes::Count, ..query };
        loop {
            query.most = Some(most - count);
            let page = self.query(&query).await?;
            count += page.count;
            query.start = page.next;
            if query.start.is_none() || count >= most {
                return Ok(count);
            }
        }
    }

    /// A page of the items of one partition, strongly consistent: at most `most`, those after `start`; and whether there
    /// are more.
    pub(super) async fn partition(
        &self,
        partition: String,
        start: Option<Key>,
        most: usize,
    ) -> Result<(Vec<Item>, bool), StoreError> {
        let query = Query::new("pk = :partition").value(":partition", item::text(partition));
        let mut query = Query { consistent: true, start, ..query };
        let mut items = Vec::new();
        loop {
            // One more than wanted, to know whether there are more.
            query.most = Some(most + 1 - items.len());
            let page = self.query(&query).await?;
            items.extend(page.items);
            query.start = page.next;
            if items.len() > most || query.start.is_none() {
                let more = items.len() > most;
                items.truncate(most);
                return Ok((items, more));
            }
        }
    }
}
