//! The lists of the indexes: what a tenant owns, what it received, what is open to all. A list holds places only; the
//! images themselves are read from the table. And the lists that are a partition of the table, whose items are all there is.

use super::item::{self, Item};
use super::keys::{GSK, INDEX, Index, Key, List, NSK, Place, Position, Run, SK, USK};
use super::{Store, StoreError};
use crate::table::{Attributes, Query};

/// In which order a list is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The newest image first, or the greatest in another order.
    NewestFirst,
    /// The oldest image first, or the smallest in another order.
    OldestFirst,
}

/// How many entries are read past at the most, before a list that leaves out others is not read any further. Some 1,600
/// read units.
pub const MAX_READ_PAST: usize = 100_000;

/// A page of a run.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// The places, in order; fewer than asked for are the last.
    pub places: Vec<Place>,
    /// Whether there may be more of them, though there are fewer than asked for: too many entries were to be read past.
    pub is_cut: bool,
}

impl Store {
    /// At most `most` places of a list by creation, those after `after` in that order. Fewer than `most` are the last.
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
        let after = after.cloned().map(Place::from);
        let page = self.run(&Run::Created(list.clone()), after.as_ref(), order, most).await?;
        Ok(page.places.into_iter().map(|place| place.position).collect())
    }

    /// At most `most` places of a run, those after `after` in that order. One query, or one for each megabyte of keys, which
    /// are about 8,000 entries; more only where entries are read past.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn run(
        &self,
        run: &Run,
        after: Option<&Place>,
        order: Order,
        most: usize,
    ) -> Result<Places, StoreError> {
        let mut found = Places::default();
        let Some((above, below)) = run.range(after, order) else { return Ok(found) };
        let sort = run.index().map_or(SK, Index::sort);
        let mut query = range_query(run, above, below);
        query.descending = order == Order::NewestFirst;
        let mut read = 0;
        while found.places.len() < most {
            let wanted = most - found.places.len();
            // Where most are read past, twice as many each time: no more than twice what is needed.
            query.most = Some(if run.reads_past() { wanted.max(read) } else { wanted });
            let page = self.query(&query).await?;
            read += page.items.len();
            for item in &page.items {
                let place = run.place(item::get_text(item, sort)?).ok_or(StoreError::Unreadable(sort))?;
                found.places.extend(place);
            }
            query.start = page.next;
            if query.start.is_none() {
                break;
            }
            if read > MAX_READ_PAST && found.places.len() < most {
                found.is_cut = true;
                break;
            }
        }
        found.places.truncate(most);
        Ok(found)
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

/// The query of a run's entries between two sort keys.
fn range_query(run: &Run, above: Option<String>, below: Option<String>) -> Query {
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
    let ([all, after, before, between], attributes) = match run.index() {
        None => (conditions!("pk", "sk"), Attributes::These(&[SK])),
        Some(Index::Lists) => (conditions!("gpk", "gsk"), Attributes::These(&[GSK])),
        Some(Index::Names) => (conditions!("npk", "nsk"), Attributes::These(&[NSK])),
        Some(Index::Updates) => (conditions!("upk", "usk"), Attributes::These(&[USK])),
    };
    let condition = match (&above, &below) {
        (None, None) => all,
        (Some(_), None) => after,
        (None, Some(_)) => before,
        (Some(_), Some(_)) => between,
    };
    let query = Query::new(condition).value(":list", item::text(run.partition()));
    let ends = [(":above", above), (":below", below)];
    let query = ends.into_iter().fold(query, |query, (name, end)| match end {
        Some(end) => query.value(name, item::text(end)),
        None => query,
    });
    Query { index: run.index().map(Index::name), attributes, ..query }
}
