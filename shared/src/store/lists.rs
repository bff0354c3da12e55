//! Reads pages of lists. A list in an index (the images that a tenant owns, or has received, or that all can see)
//! holds cursors only; the images are read from the table. Other items are listed by partition of the table, and read
//! with their attributes.

use super::client::Store;
use super::error::StoreError;
use super::item::{self, Item};
use super::keys::{Cursor, GSK, Index, Key, LISTS_INDEX, List, ListQuery, NSK, Order, Position, SK, USK};
use crate::table::{Projection, Query};

/// The most entries that one read of a filtered list scans before it returns a truncated page: about 1,600 read units.
pub const MAX_SKIPPED_ENTRIES: usize = 100_000;

/// A page of a list query.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct CursorPage {
    /// The cursors, in order. Fewer than the limit are the last, unless the page is truncated.
    pub cursors: Vec<Cursor>,
    /// Whether the scan stopped at [`MAX_SKIPPED_ENTRIES`], so that there may be more although the limit is not
    /// reached.
    pub is_truncated: bool,
}

impl Store {
    /// Returns the positions of a list by creation after `after`, at most `limit`; fewer are the last. Costs what
    /// [`Self::query_list`] does.
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
        Ok(page.cursors.into_iter().map(|cursor| cursor.position).collect())
    }

    /// Returns the cursors of a list query after `after`, at most `limit`. One query for each megabyte of keys, which
    /// is about 8,000 entries; more only if entries are skipped.
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
            // When most entries are skipped, each query reads as many as all before it: at most twice what is needed.
            query.limit =
                Some(if list_query.skips_entries() { remaining.max(read_count) } else { remaining });
            let page = self.query(&query).await?;
            read_count += page.items.len();
            for item in &page.items {
                let cursor =
                    list_query.cursor(item::get_text(item, sort)?).ok_or(StoreError::Unreadable(sort))?;
                found.cursors.extend(cursor);
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

    /// Counts the images of a list, up to `limit`. About 1 read unit for 50 images.
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

    /// Reads the items of one partition after `start`, strongly consistent, at most `limit`; and whether there are
    /// more. One query for each megabyte.
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
            // One more than the limit, to know whether there are more.
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

/// Returns the query for the entries of a list between two sort keys.
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
    // Expressions are static, so each index has its own; `keys` has the attributes of each.
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
    let bounds = [(":above", above), (":below", below)];
    let query = bounds.into_iter().fold(query, |query, (name, bound)| match bound {
        Some(bound) => query.value(name, item::text(bound)),
        None => query,
    });
    Query { index: list_query.index().map(Index::name), projection, ..query }
}
