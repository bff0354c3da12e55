//! Plan which streams of which lists a page is read from.

use std::collections::BTreeSet;

use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::order::{IndexKey, index_cursor};
use super::query::{ImageQuery, IndexFilter, MAX_IMAGES_PER_READ, MAX_SORTED};
use crate::domain::{Bypass, Caller, ImageId, TenantId};
use crate::store::{
    Cursor, ImageFetch, List, ListQuery, LookupKey, MAX_SKIPPED_ENTRIES, Order, Store, StoreError,
};
use crate::usecases::UseCaseError;

/// The most names that are each looked up, and the most tags among which the rarest is found.
const MAX_NAMES: usize = 20;
const MAX_TAGS: usize = 3;

/// The most senders whose lists are searched for images that the caller has received. With more senders, the caller's
/// own list is read instead.
const MAX_SENDERS: usize = 1_000;

/// The most lookups merged into one page.
const MAX_LOOKUP_STREAMS: usize = 2_000;

/// The most images of an owner that are all read to find those the caller has received. For an owner with more
/// images, the caller's list is read instead.
const MAX_IMAGES_OF_SMALL_OWNER: usize = 100;

/// The most queries that run concurrently.
const MAX_CONCURRENT_QUERIES: usize = 100;

/// Runs queries, at most [`MAX_CONCURRENT_QUERIES`] at a time. Returns their results in order.
pub(super) async fn run_concurrently<T, E>(
    queries: Vec<impl Future<Output = Result<T, E>>>,
) -> Result<Vec<T>, E> {
    stream::iter(queries).buffered(MAX_CONCURRENT_QUERIES).try_collect().await
}

/// A part of a list, read in the order of the page.
#[derive(Debug)]
pub(super) struct CursorStream {
    source: Source,
    /// The index of the list; `None` for a sender's own list, of whose images the caller may have received some.
    pub(super) list_index: Option<usize>,
}

#[derive(Debug)]
enum Source {
    Query(ListQuery),
    /// Sorted cursors, in ascending order.
    Sorted(Vec<Cursor>),
}

impl CursorStream {
    /// Returns the next cursors after `after`, at most `limit`. Costs one query, or nothing if they are sorted.
    ///
    /// # Errors
    /// [`UseCaseError::ScanLimitReached`] if the query had to skip too many entries.
    pub(super) async fn cursors(
        &self,
        store: &Store,
        after: Option<&Cursor>,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Cursor>, UseCaseError> {
        match &self.source {
            Source::Query(list_query) => {
                let found = store.query_list(list_query, after, order, limit).await?;
                if found.is_truncated {
                    return Err(UseCaseError::ScanLimitReached { examined: MAX_SKIPPED_ENTRIES, next: None });
                }
                Ok(found.cursors)
            }
            Source::Sorted(cursors) => {
                let is_after = |cursor: &&Cursor| match order {
                    Order::OldestFirst => after.is_none_or(|after| *cursor > after),
                    Order::NewestFirst => after.is_none_or(|after| *cursor < after),
                };
                let in_order: Box<dyn Iterator<Item = &Cursor> + Send> = match order {
                    Order::OldestFirst => Box::new(cursors.iter()),
                    Order::NewestFirst => Box::new(cursors.iter().rev()),
                };
                Ok(in_order.filter(is_after).take(limit).cloned().collect())
            }
        }
    }
}

/// Finds the streams of a query.
pub(super) struct QueryPlan<'a> {
    store: &'a Store,
    caller: &'a Caller,
    lists: &'a [List],
    names: Option<&'a [String]>,
    tags: &'a [String],
    owner: Option<&'a TenantId>,
    streams: Vec<CursorStream>,
}

impl<'a> QueryPlan<'a> {
    pub(super) fn new<F>(store: &'a Store, caller: &'a Caller, query: &'a ImageQuery<F>) -> Self {
        let IndexFilter { names, tags, owner } = &query.index_filter;
        let owns_every_list =
            |owner: &&TenantId| query.lists.iter().all(|list| *list == List::Owned((*owner).clone()));
        Self {
            store,
            caller,
            lists: &query.lists,
            names: names.as_deref().filter(|names| names.len() <= MAX_NAMES),
            tags: tags.get(..MAX_TAGS).unwrap_or(tags),
            owner: owner.as_ref().filter(|owner| !owns_every_list(owner)),
            streams: Vec::new(),
        }
    }

    /// Whether the streams of the query have the order of an index.
    pub(super) fn supports(&self, index_key: IndexKey) -> bool {
        let by_name = || self.names.is_some() && self.lists.iter().all(List::is_in_every_index);
        match index_key {
            IndexKey::Created => true,
            IndexKey::Name => by_name() || !self.is_filtered(),
            IndexKey::Updated => !self.is_filtered(),
        }
    }

    fn is_filtered(&self) -> bool {
        self.names.is_some() || !self.tags.is_empty() || self.owner.is_some()
    }

    /// Returns streams that together contain all matching images, each in the order of the index. Usually costs
    /// nothing. A filter on received images costs one or two queries per list; several tags cost one query per tag and
    /// searched list; a list of pending or rejected images, in another order than creation, one batch read per 100.
    ///
    /// # Errors
    /// [`UseCaseError::TooManyToSort`] if more images are pending or rejected than can be sorted.
    pub(super) async fn streams(mut self, index_key: IndexKey) -> Result<Vec<CursorStream>, UseCaseError> {
        for (index, list) in self.lists.iter().enumerate() {
            match (self.names, self.tags, self.owner) {
                (Some(names), _, _) => self.add_named(index, list, names, index_key).await?,
                (None, [_, ..], _) => self.add_tagged(index, list).await?,
                (None, [], Some(owner)) => self.add_owned(index, list, owner).await?,
                (None, [], None) => self.add_whole_list(index, list, index_key).await?,
            }
        }
        Ok(self.streams)
    }

    fn add_query(&mut self, list: Option<usize>, list_query: ListQuery) {
        let is_same = |stream: &CursorStream| {
            stream.list_index == list
                && matches!(&stream.source, Source::Query(other) if *other == list_query)
        };
        if !self.streams.iter().any(is_same) {
            self.streams.push(CursorStream { source: Source::Query(list_query), list_index: list });
        }
    }

    async fn add_named(
        &mut self,
        index: usize,
        list: &List,
        names: &[String],
        index_key: IndexKey,
    ) -> Result<(), StoreError> {
        let by_name = index_key == IndexKey::Name;
        let named_query = |list: &List, name: &String| ListQuery::WithName {
            list: list.clone(),
            name: name.clone(),
            by_name,
        };
        if list.is_in_every_index() {
            for name in names {
                self.add_query(Some(index), named_query(list, name));
            }
            return Ok(());
        }
        let senders = self.senders().await?;
        let Some(senders) = senders.filter(|senders| senders.len() * names.len() <= MAX_LOOKUP_STREAMS)
        else {
            self.add_query(Some(index), ListQuery::ByCreation(list.clone()));
            return Ok(());
        };
        for owned in senders.into_iter().map(List::Owned) {
            for name in names {
                self.add_query(None, named_query(&owned, name));
            }
        }
        Ok(())
    }

    async fn add_tagged(&mut self, index: usize, list: &List) -> Result<(), StoreError> {
        if !matches!(list, List::Received(..)) {
            let list_query = self.rarest_tag_query(list).await?;
            self.add_query(Some(index), list_query);
            return Ok(());
        }
        let Some(senders) = self.senders().await? else {
            self.add_query(Some(index), ListQuery::ByCreation(list.clone()));
            return Ok(());
        };
        let owned: Vec<_> = senders.into_iter().map(List::Owned).collect();
        for list_query in
            run_concurrently(owned.iter().map(|list| self.rarest_tag_query(list)).collect()).await?
        {
            self.add_query(None, list_query);
        }
        Ok(())
    }

    /// The query for the images of a list with the rarest of the tags. Costs one query per tag, or nothing for a
    /// single tag.
    async fn rarest_tag_query(&self, list: &List) -> Result<ListQuery, StoreError> {
        let tag_query = |tag: &String| ListQuery::Lookup(LookupKey::Tag(list.clone(), tag.clone()));
        if let [only] = self.tags {
            return Ok(tag_query(only));
        }
        let list_queries: Vec<_> = self.tags.iter().map(tag_query).collect();
        let count_matches = async |list_query| {
            let found = self
                .store
                .query_list(list_query, None, Order::NewestFirst, MAX_IMAGES_OF_SMALL_OWNER)
                .await?;
            Ok::<_, StoreError>(found.cursors.len())
        };
        let counts = try_join_all(list_queries.iter().map(count_matches)).await?;
        let rarest = counts.into_iter().zip(list_queries).min_by_key(|(count, _)| *count);
        Ok(rarest.map_or_else(|| ListQuery::ByCreation(list.clone()), |(_, list_query)| list_query))
    }

    async fn add_owned(&mut self, index: usize, list: &List, owner: &TenantId) -> Result<(), StoreError> {
        match list {
            List::Owned(own) if own != owner => {}
            List::Owned(_) => self.add_query(Some(index), ListQuery::ByCreation(list.clone())),
            List::Open(_) => {
                self.add_query(Some(index), ListQuery::Lookup(LookupKey::Owner(list.clone(), owner.clone())));
            }
            List::Received(..) => {
                let all = ListQuery::ByCreation(List::Owned(owner.clone()));
                let found = self
                    .store
                    .query_list(&all, None, Order::NewestFirst, MAX_IMAGES_OF_SMALL_OWNER + 1)
                    .await?;
                if found.cursors.len() <= MAX_IMAGES_OF_SMALL_OWNER {
                    self.add_query(None, all);
                } else {
                    self.add_query(Some(index), ListQuery::ByOwners(list.clone(), [owner.clone()].into()));
                }
            }
        }
        Ok(())
    }

    async fn add_whole_list(
        &mut self,
        index: usize,
        list: &List,
        index_key: IndexKey,
    ) -> Result<(), UseCaseError> {
        match index_key {
            IndexKey::Created => self.add_query(Some(index), ListQuery::ByCreation(list.clone())),
            IndexKey::Name if list.is_in_every_index() => {
                self.add_query(Some(index), ListQuery::ByName(list.clone()));
            }
            IndexKey::Updated if list.is_in_every_index() => {
                self.add_query(Some(index), ListQuery::ByUpdate(list.clone()));
                self.add_query(Some(index), ListQuery::NeverUpdated(list.clone()));
            }
            IndexKey::Name | IndexKey::Updated => {
                let source = Source::Sorted(self.sort_list(list, index_key).await?);
                self.streams.push(CursorStream { source, list_index: Some(index) });
            }
        }
        Ok(())
    }

    /// The sorted cursors of a whole list, in an order that it has no index for.
    async fn sort_list(&self, list: &List, index_key: IndexKey) -> Result<Vec<Cursor>, UseCaseError> {
        let positions = self.store.positions(list, None, Order::NewestFirst, MAX_SORTED + 1).await?;
        if positions.len() > MAX_SORTED {
            return Err(UseCaseError::TooManyToSort(MAX_SORTED));
        }
        let ids: Vec<&ImageId> = positions.iter().map(|position| &position.image).collect();
        let mut sorted = BTreeSet::new();
        for images in ids.chunks(MAX_IMAGES_PER_READ) {
            let fetch = ImageFetch { images: images.to_vec(), ..ImageFetch::default() };
            let read = self.store.listed_images(&fetch).await?;
            let images = read.into_values().map(|listed| listed.image.bypass(Bypass::List));
            sorted.extend(images.map(|image| index_cursor(index_key, &image)));
        }
        Ok(sorted.into_iter().collect())
    }

    /// The owners whose lists are searched for received images; `None` if there are too many.
    async fn senders(&self) -> Result<Option<Vec<TenantId>>, StoreError> {
        if let Some(owner) = self.owner {
            return Ok(Some(vec![owner.clone()]));
        }
        let senders = self.store.senders(&self.caller.tenant, MAX_SENDERS + 1).await?;
        Ok(Some(senders).filter(|senders| senders.len() <= MAX_SENDERS))
    }
}
