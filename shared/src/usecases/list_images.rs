//! List the images that a caller can see.
//!
//! A list merges several lists of the index (what the caller owns, what it has accepted, what is open). In the order of
//! time a page costs one query for each of them and one batch read, however long they are. Any other order has to look
//! at every image, and is refused above [`MOST_SORTED`].
//!
//! Filters are applied to what was read, so a page of a narrow filter reads on until it is full or [`MOST_EXAMINED`]
//! images have been looked at; it is then shorter than asked for and says where to go on. An empty page, which some
//! clients take for the end, reads on up to [`MOST_SORTED`].

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use futures_util::future::try_join_all;

use super::{Refusal, show_image};
use crate::Service;
use crate::domain::{Caller, Image, ImageId, MalformedId, Status, Timestamp, Visibility};
use crate::store::{List, Order, Position, Store, StoreError};

/// The most images that one page looks at in the order of time.
pub const MOST_EXAMINED: usize = 2_000;

/// The most images that are sorted in any other order.
pub const MOST_SORTED: usize = 10_000;

/// Images that one batch read takes.
const IMAGES_PER_READ: usize = 100;

/// By what images are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortKey {
    /// When it was registered.
    CreatedAt,
    /// When it was last changed.
    UpdatedAt,
    /// Its name.
    Name,
    /// Its id.
    Id,
    /// Its container format.
    ContainerFormat,
    /// Its disk format.
    DiskFormat,
    /// Something that is the same for every image here: its status, its size.
    Constant,
}

/// In which direction images are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The smallest first.
    Ascending,
    /// The greatest first.
    Descending,
}

/// By what images are sorted; the second key where the first is equal, and so on. No key at all is by time, newest first.
pub type Sort = Vec<(SortKey, Direction)>;

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

/// Where a page begins: after that image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Marker {
    /// An image, as the contracts have it; it has to be looked up.
    Image(ImageId),
    /// An image and its place, as pages give it to go on with. It holds no authority: it is looked for only in the
    /// caller's own lists.
    Place(Position),
}

impl FromStr for Marker {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, MalformedId> {
        let Some((image, created)) = text.split_once('~') else { return text.parse().map(Self::Image) };
        let millis = created.parse::<i64>().ok().filter(|millis| (0..1_000_000_000_000_000).contains(millis));
        let millis = millis.ok_or(MalformedId { expected: "the marker of the page before" })?;
        Ok(Self::Place(Position { created: Timestamp::from_unix_millis(millis), image: image.parse()? }))
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(image) => write!(f, "{image}"),
            Self::Place(place) => write!(f, "{}~{}", place.image, place.created.unix_millis()),
        }
    }
}

/// What to list.
#[derive(Debug)]
pub struct ImageQuery<F> {
    /// The lists to merge; an image that stands in several is shown as in the first.
    pub lists: Vec<List>,
    /// Which of their images are wanted.
    pub matches: F,
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
    pub images: Vec<Seen>,
    /// Where to go on, where there may be more.
    pub next: Option<Marker>,
}

/// Lists the images of some lists that match, in pages.
///
/// # Errors
/// [`Refusal::MarkerNotFound`] for a marker that the caller cannot see, [`Refusal::TooManyToSort`], and
/// [`Refusal::Store`].
pub async fn list_images<F: Fn(&Seen) -> bool>(
    service: &Service,
    caller: &Caller,
    query: ImageQuery<F>,
) -> Result<ImagePage, Refusal> {
    if query.lists.is_empty() || query.most == 0 {
        return Ok(ImagePage::default());
    }
    let order = match query.sort.first() {
        None | Some((SortKey::CreatedAt, Direction::Descending)) => Order::NewestFirst,
        Some((SortKey::CreatedAt, Direction::Ascending)) => Order::OldestFirst,
        Some(_) => return sorted(service, caller, query).await,
    };
    let after = match &query.after {
        None => None,
        Some(Marker::Place(place)) => Some(place.clone()),
        Some(Marker::Image(id)) => {
            let image = marked(service, caller, id).await?;
            Some(Position { created: image.created, image: image.id })
        }
    };
    by_time(&service.store, query, after, order).await
}

/// Finds one image in some lists; those received are the caller's. One batch read, however long the lists are, and one read
/// more for an image of the caller's own.
///
/// # Errors
/// [`Refusal::Store`] where the table failed.
pub async fn find_image(
    service: &Service,
    caller: &Caller,
    lists: &[List],
    id: &ImageId,
) -> Result<Option<Seen>, Refusal> {
    let (image, member) = service.store.image_and_member(id, &caller.tenant).await?;
    let received = member.map(|member| member.status);
    let found = image.and_then(|image| shown_in(lists, &image, received).map(|shown| (image, shown)));
    Ok(counted(&service.store, found.into_iter().collect()).await?.pop())
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
    best.add(counted(&service.store, found.collect()).await?);
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

async fn by_time<F: Fn(&Seen) -> bool>(
    store: &Store,
    query: ImageQuery<F>,
    mut after: Option<Position>,
    order: Order,
) -> Result<ImagePage, Refusal> {
    let mut page = ImagePage::default();
    let mut examined = 0;
    loop {
        let (places, more) =
            merged(store, &query.lists, after.as_ref(), order, query.most.max(IMAGES_PER_READ)).await?;
        let mut chunks = places.chunks(IMAGES_PER_READ.min(query.most)).peekable();
        while let Some(chunk) = chunks.next() {
            let mut unread = chunk.iter().zip(read(store, &query.lists, chunk).await?);
            for (place, seen) in unread.by_ref() {
                after = Some(place.0.clone());
                page.images.extend(seen.filter(|seen| (query.matches)(seen)));
                if page.images.len() == query.most {
                    break;
                }
            }
            examined += chunk.len();
            let left = more || chunks.peek().is_some() || unread.next().is_some();
            let most_examined = if page.images.is_empty() { MOST_SORTED } else { MOST_EXAMINED };
            if left && (page.images.len() == query.most || examined >= most_examined) {
                page.next = after.map(Marker::Place);
                return Ok(page);
            }
            if page.images.len() == query.most {
                return Ok(page);
            }
        }
        if !more {
            return Ok(page);
        }
    }
}

/// A place, and the number of the list that it is from.
type Placed = (Position, usize);

/// The next places of several lists as one, at most `most`, and whether there are more.
async fn merged(
    store: &Store,
    lists: &[List],
    after: Option<&Position>,
    order: Order,
    most: usize,
) -> Result<(Vec<Placed>, bool), StoreError> {
    let pages = try_join_all(lists.iter().map(|list| store.places(list, after, order, most + 1))).await?;
    let mut places: Vec<Placed> = (0..)
        .zip(pages)
        .flat_map(|(list, places)| places.into_iter().map(move |place| (place, list)))
        .collect();
    places.sort_by(|(a, first), (b, second)| {
        let by_time = if order == Order::NewestFirst { b.cmp(a) } else { a.cmp(b) };
        by_time.then(first.cmp(second))
    });
    places.dedup_by(|(later, _), (earlier, _)| later == earlier);
    let more = places.len() > most;
    places.truncate(most);
    Ok((places, more))
}

/// Reads the images of some places, at most 100; an image that is gone or not visible any more is `None`.
async fn read(store: &Store, lists: &[List], places: &[Placed]) -> Result<Vec<Option<Seen>>, StoreError> {
    let is_own = |list: &usize| matches!(lists.get(*list), Some(List::Owned(_)));
    let own = places.iter().filter(|(_, list)| is_own(list)).map(|(place, _)| &place.image);
    let mut images = store.listed_images(places.iter().map(|(place, _)| &place.image), own).await?;
    let seen = places.iter().map(|(place, list)| {
        let (image, members) = images.remove(&place.image)?;
        let received = match lists.get(*list)? {
            List::Received(_, status) => Some(*status),
            List::Owned(_) | List::Open(_) => None,
        };
        shown_in(lists, &image, received).map(|shown| Seen { image, shown, members })
    });
    Ok(seen.collect())
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

async fn sorted<F: Fn(&Seen) -> bool>(
    service: &Service,
    caller: &Caller,
    query: ImageQuery<F>,
) -> Result<ImagePage, Refusal> {
    let mut best = Best::after(service, caller, &query).await?;
    let (mut place, mut examined) = (None, 0);
    loop {
        let (places, more) =
            merged(&service.store, &query.lists, place.as_ref(), Order::NewestFirst, IMAGES_PER_READ).await?;
        examined += places.len();
        if examined > MOST_SORTED {
            return Err(Refusal::TooManyToSort(MOST_SORTED));
        }
        best.add(read(&service.store, &query.lists, &places).await?.into_iter().flatten());
        place = places.last().map(|(place, _)| place.clone());
        if !more {
            return Ok(best.page());
        }
    }
}

/// The first images of an order among all that it is given: a page, and one more.
struct Best<'a, F> {
    query: &'a ImageQuery<F>,
    after: Option<Image>,
    images: Vec<Seen>,
}

impl<'a, F: Fn(&Seen) -> bool> Best<'a, F> {
    /// Begins the page after the query's marker.
    async fn after(service: &Service, caller: &Caller, query: &'a ImageQuery<F>) -> Result<Self, Refusal> {
        let after = match &query.after {
            None => None,
            Some(Marker::Image(image) | Marker::Place(Position { image, .. })) => {
                Some(marked(service, caller, image).await?)
            }
        };
        Ok(Self { query, after, images: Vec::new() })
    }

    fn add(&mut self, found: impl IntoIterator<Item = Seen>) {
        let Self { query, after, images } = self;
        let compare = |a: &Image, b: &Image| compare(&query.sort, a, b);
        let is_after = |seen: &Seen| after.as_ref().is_none_or(|after| compare(&seen.image, after).is_gt());
        images.extend(found.into_iter().filter(|seen| (query.matches)(seen) && is_after(seen)));
        images.sort_by(|a, b| compare(&a.image, &b.image));
        images.truncate(query.most + 1);
    }

    fn page(self) -> ImagePage {
        let (mut images, most) = (self.images, self.query.most);
        let more = images.len() > most;
        images.truncate(most);
        let place = |last: &Seen| Position { created: last.image.created, image: last.image.id.clone() };
        let next = images.last().filter(|_| more).map(|last| Marker::Place(place(last)));
        ImagePage { images, next }
    }
}

/// Compares two images by some keys, and then by time and id, newest first, so that no two are equal.
fn compare(sort: &Sort, a: &Image, b: &Image) -> Ordering {
    let by_key = |key| match key {
        SortKey::CreatedAt => a.created.cmp(&b.created),
        SortKey::UpdatedAt => a.updated.cmp(&b.updated),
        SortKey::Name => a.details.name.cmp(&b.details.name),
        SortKey::Id => a.id.cmp(&b.id),
        SortKey::ContainerFormat => a.details.container_format.cmp(&b.details.container_format),
        SortKey::DiskFormat => a.details.disk_format.cmp(&b.details.disk_format),
        SortKey::Constant => Ordering::Equal,
    };
    let by_sort = sort.iter().fold(Ordering::Equal, |so_far, (key, direction)| {
        so_far.then_with(|| match direction {
            Direction::Ascending => by_key(*key),
            Direction::Descending => by_key(*key).reverse(),
        })
    });
    by_sort.then_with(|| b.created.cmp(&a.created)).then_with(|| b.id.cmp(&a.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Details;

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

    #[test]
    fn a_marker_is_an_image_or_the_place_of_the_page_before() {
        for text in ["i-1", "i-1~1700000000000"] {
            assert_eq!(text.parse::<Marker>().map(|marker| marker.to_string()).as_deref(), Ok(text));
        }
        for bad in ["", "i-1~", "i-1~x", "i-1~-5", "~5", "a#b~5", "i~99999999999999999999", "i~1~2"] {
            assert!(bad.parse::<Marker>().is_err(), "{bad}");
        }
    }
}
