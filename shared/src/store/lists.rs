//! The lists of the indexes: what a tenant owns, what it received, what is open to all. A list holds places only; the
//! images themselves are read from the table. And the lists that are a partition of the table, whose items are all there is.

use super::client::Store;
use super::error::StoreError;
use super::item::{self, Item};
use super::keys::{Cursor, GSK, Index, Key, LISTS_INDEX, List, ListQuery, NSK, Order, Position, SK, USK};
use crate::table::{Projection, Query};

/// How many entries are read past at the most, before a list that leaves out others is not read any further. Some 1,600
/// read units.
pub const MAX_SKIPPED_ENTRIES: usize = 100_000;

/// A page of a run.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct CursorPage {
    /// The places, in order; fewer than asked for are the last.
    pub cursors: Vec<Cursor>,
    /// Whether there may be more of them, though there are fewer than asked for: too many entries were to be read past.
    pub is_truncated: bool,
}

impl Store {
    /// At most `most` places of a list by creation, those after `after` in that order. Fewer than `most` are the last.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn positions(
        &self,
        list: &List,
        after: Option<&Position>,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Position>, StoreError> {
        let after = after.cloned().map(Cursor::from);
        let page =
            self.query_list(&ListQuery::ByCreation(list.clone()), after.as_ref(), order, limit).await?;
        Ok(page.cursors.into_iter().map(|place| place.position).collect())
    }

    /// At most `most` places of a run, those after `after` in that order. One query, or one for each megabyte of keys, which
    /// are about 8,000 entries; more only where entries are read past.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn query_list(
        &self,
        list_query: &ListQuery,
        after: Option<&Cursor>,
        order: Order,
        limit: usize,
    ) -> Result<CursorPage, StoreError> {
        let mut found = CursorPage::default();
        let Some((above, below)) = list_query.range(after, order) else { return Ok(found) };
        let sort = list_query.index().map_or(SK, Index::sort_key);
        let mut query = range_query(list_query, above, below);
        query.descending = order == Order::NewestFirst;
        let mut read_count = 0;
        while found.cursors.len() < limit {
            let remaining = limit - found.cursors.len();
            // Where most are read past, twice as many each time: no more than twice what is needed.
            query.limit =
                Some(if list_query.skips_entries() { remaining.max(read_count) } else { remaining });
            let page = self.query(&query).await?;
            read_count += page.items.len();
            for item in &page.items {
                let place =
                    list_query.cursor(item::get_text(item, sort)?).ok_or(StoreError::Unreadable(sort))?;
                found.cursors.extend(place);
            }
            query.start = page.next;
            if query.start.is_none() {
                break;
            }
            if read_count > MAX_SKIPPED_ENTRIES && found.cursors.len() < limit {
                found.is_truncated = true;
                break;
            }
        }
        found.cursors.truncate(limit);
        Ok(found)
    }

    /// The number of images of a list, counted no further than `most`: about 1 read unit for 50 images.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn count_list(&self, list: &List, limit: usize) -> Result<usize, StoreError> {
        let mut count = 0;
        let query = Query::new("gpk = :list").value(":list", item::text(list));
        let mut query = Query { index: Some(LISTS_INDEX), projection: Projection::Count, ..query };
        loop {
            query.limit = Some(limit - count);
            let page = self.query(&query).await?;
            count += page.count;
            query.start = page.next;
            if query.start.is_none() || count >= limit {
                return Ok(count);
            }
        }
    }

    /// A page of the items of one partition, strongly consistent: at most `most`, those after `start`; and whether there
    /// are more.
    pub(super) async fn partition_page(
        &self,
        partition: String,
        start: Option<Key>,
        limit: usize,
    ) -> Result<(Vec<Item>, bool), StoreError> {
        let query = Query::new("pk = :partition").value(":partition", item::text(partition));
        let mut query = Query { consistent: true, start, ..query };
        let mut items = Vec::new();
        loop {
            // One more than wanted, to know whether there are more.
            query.limit = Some(limit + 1 - items.len());
            let page = self.query(&query).await?;
            items.extend(page.items);
            query.start = page.next;
            if items.len() > limit || query.start.is_none() {
                let more = items.len() > limit;
                items.truncate(limit);
                return Ok((items, more));
            }
        }
    }
}

/// The query of a run's entries between two sort keys.
fn range_query(list_query: &ListQuery, above: Option<String>, below: Option<String>) -> Query {
    macro_rules! conditions {
        ($pk:literal, $sk:literal) => {
            [
                concat!($pk, " = :list"),
                concat!($pk, " = :list AND ", $sk, " > :above"),
                concat!($pk, " = :list AND ", $sk, " < :below"),
                concat!($pk, " = :list AND ", $sk, " BETWEEN :above AND :below"),
            ]
        };
    }
    // As an index names its attributes, see `keys`.
    let ([all, after, before, between], projection) = match list_query.index() {
        None => (conditions!("pk", "sk"), Projection::Only(&[SK])),
        Some(Index::Lists) => (conditions!("gpk", "gsk"), Projection::Only(&[GSK])),
        Some(Index::Names) => (conditions!("npk", "nsk"), Projection::Only(&[NSK])),
        Some(Index::Updates) => (conditions!("upk", "usk"), Projection::Only(&[USK])),
    };
    let condition = match (&above, &below) {
        (None, None) => all,
        (Some(_), None) => after,
        (None, Some(_)) => before,
        (Some(_), Some(_)) => between,
    };
    let query = Query::new(condition).value(":list", item::text(list_query.partition()));
    let ends = [(":above", above), (":below", below)];
    let query = ends.into_iter().fold(query, |query, (name, end)| match end {
        Some(end) => query.value(name, item::text(end)),
        None => query,
    });
    Query { index: list_query.index().map(Index::name), projection, ..query }
}
