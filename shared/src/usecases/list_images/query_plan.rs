//! From which parts of which lists a page is read.

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

/// The most names that are looked up one by one, and the most tags of which the rarest is found.
const MAX_NAMES: usize = 20;
const MAX_TAGS: usize = 3;

/// The most owners in whose lists it is looked for what a caller has received. Beyond it is the caller's list that is
/// looked through.
const MAX_SENDERS: usize = 1_000;

/// The most lookups that a page is merged from.
const MAX_LOOKUP_STREAMS: usize = 2_000;

/// An owner of so many images or fewer has them looked at for what the caller has received of them; else the caller's list
/// is read for the images of the owner.
const MAX_IMAGES_OF_SMALL_OWNER: usize = 100;

/// So many queries are under way at the same time.
const MAX_CONCURRENT_QUERIES: usize = 100;

/// Waits for all of them, of which a bounded number is under way at a time. The results are in their order.
pub(super) async fn run_concurrently<T, E>(
    queries: Vec<impl Future<Output = Result<T, E>>>,
) -> Result<Vec<T>, E> {
    stream::iter(queries).buffered(MAX_CONCURRENT_QUERIES).try_collect().await
}

/// A part of a list.
#[derive(Debug)]
pub(super) struct CursorStream {
    source: Source,
    /// The list, by its number; `None` where it is a list of an owner's, of which the caller may have received what is in it.
    pub(super) list_index: Option<usize>,
}

#[derive(Debug)]
enum Source {
    Query(ListQuery),
    /// Places that were sorted, in ascending order.
    Sorted(Vec<Cursor>),
}

impl CursorStream {
    /// The next places, at most `most`.
    ///
    /// # Errors
    /// [`UseCaseError::ScanLimitReached`] where too many entries would have to be read past.
    pub(super) async fn cursors(
        &self,
        store: &Store,
        after: Option<&Cursor>,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Cursor>, UseCaseError> {
        match &self.source {
            Source::Query(run) => {
                let found = store.query_list(run, after, order, limit).await?;
                if found.is_truncated {
                    return Err(UseCaseError::ScanLimitReached { examined: MAX_SKIPPED_ENTRIES, next: None });
                }
                Ok(found.cursors)
            }
            Source::Sorted(places) => {
                let is_after = |place: &&Cursor| match order {
                    Order::OldestFirst => after.is_none_or(|after| *place > after),
                    Order::NewestFirst => after.is_none_or(|after| *place < after),
                };
                let in_order: Box<dyn Iterator<Item = &Cursor> + Send> = match order {
                    Order::OldestFirst => Box::new(places.iter()),
                    Order::NewestFirst => Box::new(places.iter().rev()),
                };
                Ok(in_order.filter(is_after).take(limit).cloned().collect())
            }
        }
    }
}

/// How the streams of a query are found.
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
        let is_all =
            |owner: &&TenantId| query.lists.iter().all(|list| *list == List::Owned((*owner).clone()));
        Self {
            store,
            caller,
            lists: &query.lists,
            names: names.as_deref().filter(|names| names.len() <= MAX_NAMES),
            tags: tags.get(..MAX_TAGS).unwrap_or(tags),
            owner: owner.as_ref().filter(|owner| !is_all(owner)),
            streams: Vec::new(),
        }
    }

    /// Whether the streams come in that order.
    pub(super) fn supports(&self, rank: IndexKey) -> bool {
        let by_name = || self.names.is_some() && self.lists.iter().all(List::is_in_every_index);
        match rank {
            IndexKey::Created => true,
            IndexKey::Name => by_name() || !self.is_filtered(),
            IndexKey::Updated => !self.is_filtered(),
        }
    }

    fn is_filtered(&self) -> bool {
        self.names.is_some() || !self.tags.is_empty() || self.owner.is_some()
    }

    /// The streams that together hold all that is wanted, each in that order. A page of each is one query; to find them takes
    /// none, or one or two where something is looked for in what the caller has received, and for every 100 images that
    /// wait for the caller's answer one batch read, if their order is not that of creation.
    ///
    /// # Errors
    /// [`UseCaseError::TooManyToSort`] where more wait or were rejected than can be sorted.
    pub(super) async fn streams(mut self, rank: IndexKey) -> Result<Vec<CursorStream>, UseCaseError> {
        for (number, list) in self.lists.iter().enumerate() {
            match (self.names, self.tags, self.owner) {
                (Some(names), _, _) => self.add_named(number, list, names, rank).await?,
                (None, [_, ..], _) => self.add_tagged(number, list).await?,
                (None, [], Some(owner)) => self.add_owned(number, list, owner).await?,
                (None, [], None) => self.add_whole_list(number, list, rank).await?,
            }
        }
        Ok(self.streams)
    }

    fn add_query(&mut self, list: Option<usize>, run: ListQuery) {
        let is_known = |stream: &CursorStream| {
            stream.list_index == list && matches!(&stream.source, Source::Query(known) if *known == run)
        };
        if !self.streams.iter().any(is_known) {
            self.streams.push(CursorStream { source: Source::Query(run), list_index: list });
        }
    }

    async fn add_named(
        &mut self,
        number: usize,
        list: &List,
        names: &[String],
        rank: IndexKey,
    ) -> Result<(), StoreError> {
        let by_name = rank == IndexKey::Name;
        let run = |list: &List, name: &String| ListQuery::WithName {
            list: list.clone(),
            name: name.clone(),
            by_name,
        };
        if list.is_in_every_index() {
            for name in names {
                self.add_query(Some(number), run(list, name));
            }
            return Ok(());
        }
        let senders = self.senders().await?;
        let Some(senders) = senders.filter(|senders| senders.len() * names.len() <= MAX_LOOKUP_STREAMS)
        else {
            self.add_query(Some(number), ListQuery::ByCreation(list.clone()));
            return Ok(());
        };
        for owned in senders.into_iter().map(List::Owned) {
            for name in names {
                self.add_query(None, run(&owned, name));
            }
        }
        Ok(())
    }

    async fn add_tagged(&mut self, number: usize, list: &List) -> Result<(), StoreError> {
        if !matches!(list, List::Received(..)) {
            let run = self.rarest_tag_query(list).await?;
            self.add_query(Some(number), run);
            return Ok(());
        }
        let Some(senders) = self.senders().await? else {
            self.add_query(Some(number), ListQuery::ByCreation(list.clone()));
            return Ok(());
        };
        let owned: Vec<_> = senders.into_iter().map(List::Owned).collect();
        for run in run_concurrently(owned.iter().map(|list| self.rarest_tag_query(list)).collect()).await? {
            self.add_query(None, run);
        }
        Ok(())
    }

    /// The images of a list that have the rarest of the tags.
    async fn rarest_tag_query(&self, list: &List) -> Result<ListQuery, StoreError> {
        let run = |tag: &String| ListQuery::Lookup(LookupKey::Tag(list.clone(), tag.clone()));
        if let [only] = self.tags {
            return Ok(run(only));
        }
        let runs: Vec<_> = self.tags.iter().map(run).collect();
        let count = async |run| {
            let found =
                self.store.query_list(run, None, Order::NewestFirst, MAX_IMAGES_OF_SMALL_OWNER).await?;
            Ok::<_, StoreError>(found.cursors.len())
        };
        let counts = try_join_all(runs.iter().map(count)).await?;
        let rarest = counts.into_iter().zip(runs).min_by_key(|(count, _)| *count);
        Ok(rarest.map_or_else(|| ListQuery::ByCreation(list.clone()), |(_, run)| run))
    }

    async fn add_owned(&mut self, number: usize, list: &List, owner: &TenantId) -> Result<(), StoreError> {
        match list {
            List::Owned(own) if own != owner => {}
            List::Owned(_) => self.add_query(Some(number), ListQuery::ByCreation(list.clone())),
            List::Open(_) => {
                self.add_query(
                    Some(number),
                    ListQuery::Lookup(LookupKey::Owner(list.clone(), owner.clone())),
                );
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
                    self.add_query(Some(number), ListQuery::ByOwner(list.clone(), owner.clone()));
                }
            }
        }
        Ok(())
    }

    async fn add_whole_list(
        &mut self,
        number: usize,
        list: &List,
        rank: IndexKey,
    ) -> Result<(), UseCaseError> {
        match rank {
            IndexKey::Created => self.add_query(Some(number), ListQuery::ByCreation(list.clone())),
            IndexKey::Name if list.is_in_every_index() => {
                self.add_query(Some(number), ListQuery::ByName(list.clone()));
            }
            IndexKey::Updated if list.is_in_every_index() => {
                self.add_query(Some(number), ListQuery::ByUpdate(list.clone()));
                self.add_query(Some(number), ListQuery::NeverUpdated(list.clone()));
            }
            IndexKey::Name | IndexKey::Updated => {
                let source = Source::Sorted(self.sort_list(list, rank).await?);
                self.streams.push(CursorStream { source, list_index: Some(number) });
            }
        }
        Ok(())
    }

    /// The places of a whole list in an order that its index does not have.
    async fn sort_list(&self, list: &List, rank: IndexKey) -> Result<Vec<Cursor>, UseCaseError> {
        let places = self.store.positions(list, None, Order::NewestFirst, MAX_SORTED + 1).await?;
        if places.len() > MAX_SORTED {
            return Err(UseCaseError::TooManyToSort(MAX_SORTED));
        }
        let ids: Vec<&ImageId> = places.iter().map(|place| &place.image).collect();
        let mut sorted = BTreeSet::new();
        for images in ids.chunks(MAX_IMAGES_PER_READ) {
            let wanted = ImageFetch { images: images.to_vec(), ..ImageFetch::default() };
            let read = self.store.listed_images(&wanted).await?;
            let images = read.into_values().map(|listed| listed.image.bypass(Bypass::List));
            sorted.extend(images.map(|image| index_cursor(rank, &image)));
        }
        Ok(sorted.into_iter().collect())
    }

    /// The owners in whose lists something that the caller has received is looked for; `None` where they are too many.
    async fn senders(&self) -> Result<Option<Vec<TenantId>>, StoreError> {
        if let Some(owner) = self.owner {
            return Ok(Some(vec![owner.clone()]));
        }
        let senders = self.store.senders(&self.caller.tenant, MAX_SENDERS + 1).await?;
        Ok(Some(senders).filter(|senders| senders.len() <= MAX_SENDERS))
    }
}
