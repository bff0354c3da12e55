//! From which parts of which lists a page is read.

use std::collections::BTreeSet;

use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::order::{Rank, ranked};
use super::{IMAGES_PER_READ, ImageQuery, MAX_SORTED};
use crate::domain::{Caller, ImageId, TenantId};
use crate::store::{Filing, List, MAX_READ_PAST, Order, Place, Run, Store, StoreError, Wanted};
use crate::usecases::Refusal;

/// What every image that a query wants has, exactly: it is found by an index of that rather than by looking at every image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exact {
    /// Its name is one of these.
    pub names: Option<Vec<String>>,
    /// It has each of these tags.
    pub tags: Vec<String>,
    /// It is owned by that tenant.
    pub owner: Option<TenantId>,
}

/// The most names that are looked up one by one, and the most tags of which the rarest is found.
const MAX_NAMES: usize = 20;
const MAX_TAGS: usize = 3;

/// The most owners in whose lists it is looked for what a caller has received. Beyond it is the caller's list that is
/// looked through.
const MAX_SENDERS: usize = 1_000;

/// The most lookups that a page is merged from.
const MAX_LOOKUPS: usize = 2_000;

/// An owner of so many images or fewer has them looked at for what the caller has received of them; else the caller's list
/// is read for the images of the owner.
const FEW_IMAGES: usize = 100;

/// So many queries are under way at the same time.
const SIDE_BY_SIDE: usize = 100;

/// Waits for all of them, of which a bounded number is under way at a time. The results are in their order.
pub(super) async fn side_by_side<T, E>(
    queries: Vec<impl Future<Output = Result<T, E>>>,
) -> Result<Vec<T>, E> {
    stream::iter(queries).buffered(SIDE_BY_SIDE).try_collect().await
}

/// A part of a list.
#[derive(Debug)]
pub(super) struct Stream {
    source: Source,
    /// The list, by its number; `None` where it is a list of an owner's, of which the caller may have received what is in it.
    pub(super) list: Option<usize>,
}

#[derive(Debug)]
enum Source {
    Run(Run),
    /// Places that were sorted, in ascending order.
    Sorted(Vec<Place>),
}

impl Stream {
    /// The next places, at most `most`.
    ///
    /// # Errors
    /// [`Refusal::NothingFound`] where too many entries would have to be read past.
    pub(super) async fn places(
        &self,
        store: &Store,
        after: Option<&Place>,
        order: Order,
        most: usize,
    ) -> Result<Vec<Place>, Refusal> {
        match &self.source {
            Source::Run(run) => {
                let found = store.run(run, after, order, most).await?;
                if found.is_cut {
                    return Err(Refusal::NothingFound { examined: MAX_READ_PAST, next: None });
                }
                Ok(found.places)
            }
            Source::Sorted(places) => {
                let is_after = |place: &&Place| match order {
                    Order::OldestFirst => after.is_none_or(|after| *place > after),
                    Order::NewestFirst => after.is_none_or(|after| *place < after),
                };
                let in_order: Box<dyn Iterator<Item = &Place> + Send> = match order {
                    Order::OldestFirst => Box::new(places.iter()),
                    Order::NewestFirst => Box::new(places.iter().rev()),
                };
                Ok(in_order.filter(is_after).take(most).cloned().collect())
            }
        }
    }
}

/// How the streams of a query are found.
pub(super) struct Plan<'a> {
    store: &'a Store,
    caller: &'a Caller,
    lists: &'a [List],
    names: Option<&'a [String]>,
    tags: &'a [String],
    owner: Option<&'a TenantId>,
    streams: Vec<Stream>,
}

impl<'a> Plan<'a> {
    pub(super) fn new<F>(store: &'a Store, caller: &'a Caller, query: &'a ImageQuery<F>) -> Self {
        let Exact { names, tags, owner } = &query.exact;
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
    pub(super) fn has(&self, rank: Rank) -> bool {
        let by_name = || self.names.is_some() && self.lists.iter().all(List::is_in_every_index);
        match rank {
            Rank::Created => true,
            Rank::Name => by_name() || !self.is_narrow(),
            Rank::Updated => !self.is_narrow(),
        }
    }

    fn is_narrow(&self) -> bool {
        self.names.is_some() || !self.tags.is_empty() || self.owner.is_some()
    }

    /// The streams that together hold all that is wanted, each in that order. A page of each is one query; to find them takes
    /// none, or one or two where something is looked for in what the caller has received, and for every 100 images that
    /// wait for the caller's answer one batch read, if their order is not that of creation.
    ///
    /// # Errors
    /// [`Refusal::TooManyToSort`] where more wait or were rejected than can be sorted.
    pub(super) async fn streams(mut self, rank: Rank) -> Result<Vec<Stream>, Refusal> {
        for (number, list) in self.lists.iter().enumerate() {
            match (self.names, self.tags, self.owner) {
                (Some(names), _, _) => self.named(number, list, names, rank).await?,
                (None, [_, ..], _) => self.tagged(number, list).await?,
                (None, [], Some(owner)) => self.owned(number, list, owner).await?,
                (None, [], None) => self.whole(number, list, rank).await?,
            }
        }
        Ok(self.streams)
    }

    fn add(&mut self, list: Option<usize>, run: Run) {
        let is_known = |stream: &Stream| {
            stream.list == list && matches!(&stream.source, Source::Run(known) if *known == run)
        };
        if !self.streams.iter().any(is_known) {
            self.streams.push(Stream { source: Source::Run(run), list });
        }
    }

    async fn named(
        &mut self,
        number: usize,
        list: &List,
        names: &[String],
        rank: Rank,
    ) -> Result<(), StoreError> {
        let by_name = rank == Rank::Name;
        let run = |list: &List, name: &String| Run::Named { list: list.clone(), name: name.clone(), by_name };
        if list.is_in_every_index() {
            for name in names {
                self.add(Some(number), run(list, name));
            }
            return Ok(());
        }
        let senders = self.senders().await?;
        let Some(senders) = senders.filter(|senders| senders.len() * names.len() <= MAX_LOOKUPS) else {
            self.add(Some(number), Run::Created(list.clone()));
            return Ok(());
        };
        for owned in senders.into_iter().map(List::Owned) {
            for name in names {
                self.add(None, run(&owned, name));
            }
        }
        Ok(())
    }

    async fn tagged(&mut self, number: usize, list: &List) -> Result<(), StoreError> {
        if !matches!(list, List::Received(..)) {
            let run = self.rarest(list).await?;
            self.add(Some(number), run);
            return Ok(());
        }
        let Some(senders) = self.senders().await? else {
            self.add(Some(number), Run::Created(list.clone()));
            return Ok(());
        };
        let owned: Vec<_> = senders.into_iter().map(List::Owned).collect();
        for run in side_by_side(owned.iter().map(|list| self.rarest(list)).collect()).await? {
            self.add(None, run);
        }
        Ok(())
    }

    /// The images of a list that have the rarest of the tags.
    async fn rarest(&self, list: &List) -> Result<Run, StoreError> {
        let run = |tag: &String| Run::Filed(Filing::Tag(list.clone(), tag.clone()));
        if let [only] = self.tags {
            return Ok(run(only));
        }
        let runs: Vec<_> = self.tags.iter().map(run).collect();
        let count = async |run| {
            let found = self.store.run(run, None, Order::NewestFirst, FEW_IMAGES).await?;
            Ok::<_, StoreError>(found.places.len())
        };
        let counts = try_join_all(runs.iter().map(count)).await?;
        let rarest = counts.into_iter().zip(runs).min_by_key(|(count, _)| *count);
        Ok(rarest.map_or_else(|| Run::Created(list.clone()), |(_, run)| run))
    }

    async fn owned(&mut self, number: usize, list: &List, owner: &TenantId) -> Result<(), StoreError> {
        match list {
            List::Owned(own) if own != owner => {}
            List::Owned(_) => self.add(Some(number), Run::Created(list.clone())),
            List::Open(_) => {
                self.add(Some(number), Run::Filed(Filing::Owner(list.clone(), owner.clone())));
            }
            List::Received(..) => {
                let all = Run::Created(List::Owned(owner.clone()));
                let found = self.store.run(&all, None, Order::NewestFirst, FEW_IMAGES + 1).await?;
                if found.places.len() <= FEW_IMAGES {
                    self.add(None, all);
                } else {
                    self.add(Some(number), Run::From(list.clone(), owner.clone()));
                }
            }
        }
        Ok(())
    }

    async fn whole(&mut self, number: usize, list: &List, rank: Rank) -> Result<(), Refusal> {
        match rank {
            Rank::Created => self.add(Some(number), Run::Created(list.clone())),
            Rank::Name if list.is_in_every_index() => self.add(Some(number), Run::Names(list.clone())),
            Rank::Updated if list.is_in_every_index() => {
                self.add(Some(number), Run::Updated(list.clone()));
                self.add(Some(number), Run::Unchanged(list.clone()));
            }
            Rank::Name | Rank::Updated => {
                let source = Source::Sorted(self.sorted(list, rank).await?);
                self.streams.push(Stream { source, list: Some(number) });
            }
        }
        Ok(())
    }

    /// The places of a whole list in an order that its index does not have.
    async fn sorted(&self, list: &List, rank: Rank) -> Result<Vec<Place>, Refusal> {
        let places = self.store.places(list, None, Order::NewestFirst, MAX_SORTED + 1).await?;
        if places.len() > MAX_SORTED {
            return Err(Refusal::TooManyToSort(MAX_SORTED));
        }
        let ids: Vec<&ImageId> = places.iter().map(|place| &place.image).collect();
        let mut sorted = BTreeSet::new();
        for images in ids.chunks(IMAGES_PER_READ) {
            let wanted = Wanted { images: images.to_vec(), ..Wanted::default() };
            let read = self.store.listed_images(&wanted).await?;
            sorted.extend(read.values().map(|listed| ranked(rank, &listed.image)));
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
