//! List the images that a caller can see.
//!
//! A list merges several lists of the indexes (what the caller owns, what it has accepted, what is open). In the order of
//! creation, of names and of updates a page costs a query or two for each of them and one batch read for every 100 images,
//! however long they are. Any other order has to look at every image, and is refused above [`MAX_SORTED`].
//!
//! What has a certain name, tag or owner is read from an index of that ([`Exact`]). All other filters are applied to what
//! was read, so a page of a narrow filter reads on until it is full or [`MAX_EXAMINED`] images have been looked at; it is
//! then shorter than asked for and says where to go on. An empty page, which some clients take for the end, reads on up to
//! [`MAX_EXAMINED_IN_VAIN`], and is then an error that says where to go on.

mod marker;
mod order;
mod plan;

use std::collections::HashMap;

pub use self::marker::Marker;
pub use self::order::{Direction, Sort, SortKey};
use self::order::{compare, of_index, place, ranked, value_count};
pub use self::plan::Exact;
use self::plan::{Plan, Stream, side_by_side};
use super::{Refusal, show_image};
use crate::Service;
use crate::domain::{Caller, Image, ImageId, Status, Visibility};
use crate::store::{List, ListedImage, Order, Place, Store, StoreError, Wanted};

/// The most images that a page looks at which shows some.
const MAX_EXAMINED: usize = 2_000;

/// The most images that a page looks at which shows none.
const MAX_EXAMINED_IN_VAIN: usize = 10_000;

/// The most images that are sorted in an order that no index has.
const MAX_SORTED: usize = 10_000;

/// Places that one query reads, where all of them are read.
const PLACES_PER_QUERY: usize = 1_000;

/// Images that one batch read takes.
const IMAGES_PER_READ: usize = 100;

/// So many streams are each read for a whole page.
const FEW_STREAMS: usize = 16;

/// Why an image is in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// The caller owns it.
    Own,
    /// It is shared with the caller, who has said that.
    Received(Status),
    /// It is public, or a community image.
    Open,
}

/// An image in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The image.
    pub image: Image,
    /// Why it is there.
    pub shown: Shown,
    /// The number of tenants that it is shared with, which is its owner's to know: 0 for another's image.
    pub members: u32,
}

/// An image in a list, and where it stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The image.
    pub seen: Seen,
    /// Its place in the order of the list.
    pub place: Place,
}

/// What to list.
#[derive(Debug)]
pub struct ImageQuery<F> {
    /// The lists to merge; an image that stands in several is shown as in the first. Those received are the caller's.
    pub lists: Vec<List>,
    /// Which of their images are wanted.
    pub matches: F,
    /// What all of these have, to find them by: `matches` must be false for every other image.
    pub exact: Exact,
    /// Whether `matches`, or the caller, looks at the number of members.
    pub counts_members: bool,
    /// In which order.
    pub sort: Sort,
    /// After which image.
    pub after: Option<Marker>,
    /// How many images a page holds at the most.
    pub most: usize,
}

/// A page of images.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ImagePage {
    /// The images.
    pub rows: Vec<Row>,
    /// Where to go on, where there may be more.
    pub next: Option<Marker>,
}

/// Lists the images of some lists that match, in pages.
///
/// # Errors
/// [`Refusal::MarkerNotFound`] for a marker that the caller cannot see, [`Refusal::TooManyToSort`],
/// [`Refusal::NothingFound`], and [`Refusal::Store`].
pub async fn list_images<F: Fn(&Seen) -> bool>(
    service: &Service,
    caller: &Caller,
    query: ImageQuery<F>,
) -> Result<ImagePage, Refusal> {
    if query.lists.is_empty() || query.most == 0 {
        return Ok(ImagePage::default());
    }
    let plan = Plan::new(&service.store, caller, &query);
    let Some((rank, order)) = of_index(&query.sort).filter(|(rank, _)| plan.has(*rank)) else {
        return sorted(service, caller, &query, plan).await;
    };
    let after = match &query.after {
        None => None,
        Some(Marker::Place(place)) if place.values.len() == usize::from(rank != order::Rank::Created) => {
            Some(place.clone())
        }
        Some(Marker::Place(_)) => return Err(Refusal::MarkerNotFound),
        Some(Marker::Image(id)) => Some(ranked(rank, &marked(service, caller, id).await?)),
    };
    let streams = plan.streams(rank).await?;
    walk(&Reader { service, caller, query: &query, streams }, after, order).await
}

/// Lists those of some images that stand in some lists and match, in pages; those received are the caller's. One batch
/// read for every 50 of them, however long the lists are, and one for every 100 of the caller's own.
///
/// # Errors
/// As [`list_images`].
pub async fn find_images<F: Fn(&Seen) -> bool>(
    service: &Service,
    caller: &Caller,
    ids: &[ImageId],
    query: ImageQuery<F>,
) -> Result<ImagePage, Refusal> {
    if query.lists.is_empty() || query.most == 0 {
        return Ok(ImagePage::default());
    }
    let mut best = Best::after(service, caller, &query).await?;
    let read = service.store.images_and_answers(ids, &caller.tenant).await?;
    let found = read
        .into_iter()
        .filter_map(|(image, received)| shown_in(&query.lists, &image, received).map(|shown| (image, shown)));
    let found = found.collect();
    best.add(if query.counts_members {
        counted(&service.store, found).await?
    } else {
        found.into_iter().map(|(image, shown)| Seen { image, shown, members: 0 }).collect()
    });
    Ok(best.page())
}

/// Counts the members of those images that are the caller's own. One batch read for every 100 of these.
async fn counted(store: &Store, found: Vec<(Image, Shown)>) -> Result<Vec<Seen>, StoreError> {
    let own = found.iter().filter(|(_, shown)| *shown == Shown::Own).map(|(image, _)| &image.id);
    let own: Vec<_> = own.collect();
    let heads = if own.is_empty() { HashMap::new() } else { store.heads(own).await? };
    let seen = found.into_iter().map(|(image, shown)| {
        let members = heads.get(&image.id).map_or(0, |head| head.members);
        Seen { image, shown, members }
    });
    Ok(seen.collect())
}

async fn marked(service: &Service, caller: &Caller, id: &ImageId) -> Result<Image, Refusal> {
    show_image(service, caller, id).await.map_err(|refusal| match refusal {
        Refusal::ImageNotFound(_) => Refusal::MarkerNotFound,
        other => other,
    })
}

/// What a page is read from.
struct Reader<'a, F> {
    service: &'a Service,
    caller: &'a Caller,
    query: &'a ImageQuery<F>,
    streams: Vec<Stream>,
}

/// Reads a page from streams that come in its order.
async fn walk<F: Fn(&Seen) -> bool>(
    reader: &Reader<'_, F>,
    mut after: Option<Place>,
    order: Order,
) -> Result<ImagePage, Refusal> {
    let query = reader.query;
    let mut page = ImagePage::default();
    let mut examined = 0;
    loop {
        let (places, more) = reader.merged(after.as_ref(), order, query.most.max(IMAGES_PER_READ)).await?;
        let mut chunks = places.chunks(IMAGES_PER_READ.min(query.most)).peekable();
        while let Some(chunk) = chunks.next() {
            let mut unread = chunk.iter().zip(reader.read(chunk).await?);
            for ((place, _), seen) in unread.by_ref() {
                after = Some(place.clone());
                let seen = seen.filter(|seen| (query.matches)(seen));
                page.rows.extend(seen.map(|seen| Row { seen, place: place.clone() }));
                if page.rows.len() == query.most {
                    break;
                }
            }
            examined += chunk.len();
            let left = more || chunks.peek().is_some() || unread.next().is_some();
            let is_full = page.rows.len() == query.most;
            if left && page.rows.is_empty() && examined >= MAX_EXAMINED_IN_VAIN {
                let next = after.map(Marker::Place).map(Box::new);
                return Err(Refusal::NothingFound { examined, next });
            }
            if left && (is_full || !page.rows.is_empty() && examined >= MAX_EXAMINED) {
                page.next = after.map(Marker::Place);
                return Ok(page);
            }
            if is_full {
                return Ok(page);
            }
        }
        if !more {
            return Ok(page);
        }
    }
}

/// A place, and the list that it is from: see [`Stream`].
type Placed = (Place, Option<usize>);

impl<F> Reader<'_, F> {
    /// The next places of all streams as one, at most `most`, and whether there are more. One query of each stream.
    async fn merged(
        &self,
        after: Option<&Place>,
        order: Order,
        most: usize,
    ) -> Result<(Vec<Placed>, bool), Refusal> {
        let store = &self.service.store;
        // Of many streams each is asked for its part, so that they together are not read for many pages.
        let each = if self.streams.len() <= FEW_STREAMS { most } else { (most / FEW_STREAMS).max(1) };
        let pages = self.streams.iter().map(|stream| stream.places(store, after, order, each + 1));
        let pages = side_by_side(pages.collect()).await?;
        let by_place = |a: &Place, b: &Place| if order == Order::NewestFirst { b.cmp(a) } else { a.cmp(b) };
        // No stream has anything unread before the last place that was read of it.
        let unread = pages.iter().filter(|page| page.len() > each).filter_map(|page| page.last());
        let end = unread.min_by(|a, b| by_place(a, b)).cloned();
        let mut places: Vec<Placed> = self
            .streams
            .iter()
            .zip(pages)
            .flat_map(|(stream, places)| places.into_iter().map(|place| (place, stream.list)))
            .collect();
        if let Some(end) = &end {
            places.retain(|(place, _)| by_place(place, end).is_lt());
        }
        places.sort_by(|(a, first), (b, second)| {
            // What a list of the caller's says needs no looking up.
            by_place(a, b).then(first.is_none().cmp(&second.is_none())).then(first.cmp(second))
        });
        places.dedup_by(|(later, _), (earlier, _)| later == earlier);
        let more = end.is_some() || places.len() > most;
        places.truncate(most);
        Ok((places, more))
    }

    /// Reads the images of some places, at most 100; an image that is gone or not visible any more is `None`.
    async fn read(&self, places: &[Placed]) -> Result<Vec<Option<Seen>>, StoreError> {
        let list = |number: &Option<usize>| number.and_then(|number| self.query.lists.get(number));
        let images_of = |is: &dyn Fn(&Option<usize>) -> bool| {
            places.iter().filter(|(_, from)| is(from)).map(|(place, _)| &place.position.image).collect()
        };
        let is_counted = |from: &_| self.query.counts_members && matches!(list(from), Some(List::Owned(_)));
        let wanted = Wanted {
            images: images_of(&|_| true),
            counted: images_of(&is_counted),
            answered: images_of(&Option::is_none),
            by: Some(&self.caller.tenant),
        };
        let mut images = self.service.store.listed_images(&wanted).await?;
        let seen = places.iter().map(|(place, from)| {
            let ListedImage { image, members, answer } = images.remove(&place.position.image)?;
            let received = match (from, list(from)) {
                (None, _) => answer,
                (_, Some(List::Received(_, status))) => Some(*status),
                _ => None,
            };
            shown_in(&self.query.lists, &image, received).map(|shown| Seen { image, shown, members })
        });
        Ok(seen.collect())
    }
}

/// Why an image is in some lists: by the first that holds it. `received` is what the caller has said to it.
///
/// An image that was made public stays in the lists of those who received it, so one list may not speak for all.
pub(super) fn shown_in(lists: &[List], image: &Image, received: Option<Status>) -> Option<Shown> {
    lists.iter().find_map(|list| match list {
        List::Owned(owner) => (image.owner == *owner).then_some(Shown::Own),
        List::Received(_, status) => (received == Some(*status) && image.visibility == Visibility::Shared)
            .then_some(Shown::Received(*status)),
        List::Open(visibility) => (image.visibility == *visibility).then_some(Shown::Open),
    })
}

/// Reads all that there is and sorts it.
async fn sorted<F: Fn(&Seen) -> bool>(
    service: &Service,
    caller: &Caller,
    query: &ImageQuery<F>,
    plan: Plan<'_>,
) -> Result<ImagePage, Refusal> {
    let mut best = Best::after(service, caller, query).await?;
    let reader = Reader { service, caller, query, streams: plan.streams(order::Rank::Created).await? };
    let (mut after, mut examined) = (None, 0);
    loop {
        let (places, more) = reader.merged(after.as_ref(), Order::NewestFirst, PLACES_PER_QUERY).await?;
        examined += places.len();
        if examined > MAX_SORTED {
            return Err(Refusal::TooManyToSort(MAX_SORTED));
        }
        for chunk in places.chunks(IMAGES_PER_READ) {
            best.add(reader.read(chunk).await?.into_iter().flatten());
        }
        after = places.last().map(|(place, _)| place.clone());
        if !more {
            return Ok(best.page());
        }
    }
}

/// The first images of an order among all that it is given: a page, and one more.
struct Best<'a, F> {
    query: &'a ImageQuery<F>,
    after: Option<Place>,
    rows: Vec<Row>,
}

impl<'a, F: Fn(&Seen) -> bool> Best<'a, F> {
    /// Begins the page after the query's marker.
    async fn after(service: &Service, caller: &Caller, query: &'a ImageQuery<F>) -> Result<Self, Refusal> {
        let after = match &query.after {
            None => None,
            Some(Marker::Place(place)) if place.values.len() == value_count(&query.sort) => {
                Some(place.clone())
            }
            Some(Marker::Place(_)) => return Err(Refusal::MarkerNotFound),
            Some(Marker::Image(image)) => Some(place(&query.sort, &marked(service, caller, image).await?)),
        };
        Ok(Self { query, after, rows: Vec::new() })
    }

    fn add(&mut self, found: impl IntoIterator<Item = Seen>) {
        let Self { query, after, rows } = self;
        let compare = |a: &Place, b: &Place| compare(&query.sort, a, b);
        let matching = found.into_iter().filter(|seen| (query.matches)(seen));
        let found = matching.map(|seen| Row { place: place(&query.sort, &seen.image), seen });
        rows.extend(
            found.filter(|row| after.as_ref().is_none_or(|after| compare(&row.place, after).is_gt())),
        );
        rows.sort_by(|a, b| compare(&a.place, &b.place));
        rows.truncate(query.most + 1);
    }

    fn page(self) -> ImagePage {
        let (mut rows, most) = (self.rows, self.query.most);
        let more = rows.len() > most;
        rows.truncate(most);
        let next = rows.last().filter(|_| more).map(|last| Marker::Place(last.place.clone()));
        ImagePage { rows, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Details, Timestamp};

    #[test]
    fn an_image_that_was_made_public_is_shown_to_those_who_received_it() {
        let me = || "me".parse().unwrap();
        let lists =
            [List::Owned(me()), List::Received(me(), Status::Accepted), List::Open(Visibility::Public)];
        let image = |visibility| Image {
            id: "i".parse().unwrap(),
            owner: "other".parse().unwrap(),
            visibility,
            details: Details::default(),
            created: Timestamp::from_unix_millis(0),
            updated: Timestamp::from_unix_millis(0),
            revision: 1,
        };
        let accepted = Some(Status::Accepted);
        assert_eq!(shown_in(&lists, &image(Visibility::Public), accepted), Some(Shown::Open));
        assert_eq!(
            shown_in(&lists, &image(Visibility::Shared), accepted),
            Some(Shown::Received(Status::Accepted))
        );
        assert_eq!(shown_in(&lists, &image(Visibility::Shared), Some(Status::Pending)), None);
        assert_eq!(shown_in(&lists, &image(Visibility::Private), accepted), None);
    }
}
