//! List the images that a caller can see.
//!
//! A list merges several lists of the indexes (what the caller owns, what it has accepted, what is open). In the order of
//! creation, of names and of updates a page costs a query or two for each of them and one batch read for every 100 images,
//! however long they are. Any other order has to look at every image, and is refused above [`MAX_SORTED`].
//!
//! A list is authorized by its key: [`List::Owned`] and [`List::Received`] hold the tenant that the caller reads for, and
//! [`List::Open`] is for all. An image leaves this module only with the [`ListReason`] for which it is in one of them.
//!
//! What has a certain name, tag or owner is read from an index of that ([`IndexFilter`]). All other filters are applied to what
//! was read, so a page of a narrow filter reads on until it is full or [`MAX_EXAMINED`] images have been looked at; it is
//! then shorter than asked for and says where to go on. An empty page, which some clients take for the end, reads on up to
//! [`MAX_EXAMINED_WITHOUT_MATCH`], and is then an error that says where to go on.

mod order;
mod query;
mod query_plan;

use std::collections::HashMap;

pub use self::order::{Direction, Sort, SortKey};
use self::order::{compare, index_cursor, index_order_for, sort_cursor, value_count};
pub use self::query::{ImageQuery, IndexFilter};
use self::query::{MAX_IMAGES_PER_READ, MAX_SORTED};
use self::query_plan::{CursorStream, QueryPlan, run_concurrently};
use super::error::UseCaseError;
use super::images::show_image;
use super::marker::Marker;
use crate::App;
use crate::domain::{Bypass, Caller, Image, ImageId, Status, Visibility};
use crate::store::{Cursor, ImageFetch, List, ListedImage, Order, Store, StoreError};

/// The most images that a page looks at which shows some.
const MAX_EXAMINED: usize = 2_000;

/// The most images that a page looks at which shows none.
const MAX_EXAMINED_WITHOUT_MATCH: usize = 10_000;

/// Places that one query reads, where all of them are read.
const MAX_CURSORS_PER_QUERY: usize = 1_000;

/// So many streams are each read for a whole page.
const MAX_FULL_PAGE_STREAMS: usize = 16;

/// Why an image is in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListReason {
    /// The caller owns it.
    Owned,
    /// It is shared with the caller, who has said that.
    Received(Status),
    /// It is public, or a community image.
    Open,
}

/// An image in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisibleImage {
    /// The image.
    pub image: Image,
    /// Why it is there.
    pub reason: ListReason,
    /// The number of tenants that it is shared with, which is its owner's to know: 0 for another's image.
    pub members: u32,
}

/// An image in a list, and where it stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRow {
    /// The image.
    pub visible: VisibleImage,
    /// Its place in the order of the list.
    pub cursor: Cursor,
}

/// A page of images.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ImagePage {
    /// The images.
    pub rows: Vec<ImageRow>,
    /// Where to go on, where there may be more.
    pub next: Option<Marker>,
}

/// Lists the images of some lists that match, in pages.
///
/// # Errors
/// [`UseCaseError::MarkerNotFound`] for a marker that the caller cannot see, [`UseCaseError::TooManyToSort`],
/// [`UseCaseError::ScanLimitReached`], and [`UseCaseError::Store`].
pub async fn list_images<F: Fn(&VisibleImage) -> bool>(
    app: &App,
    caller: &Caller,
    query: ImageQuery<F>,
) -> Result<ImagePage, UseCaseError> {
    if query.lists.is_empty() || query.limit == 0 {
        return Ok(ImagePage::default());
    }
    let plan = QueryPlan::new(&app.store, caller, &query);
    let Some((rank, order)) = index_order_for(&query.sort).filter(|(rank, _)| plan.supports(*rank)) else {
        return list_sorted(app, caller, &query, plan).await;
    };
    let after = match &query.after {
        None => None,
        Some(Marker::Cursor(place))
            if place.values.len() == usize::from(rank != order::IndexKey::Created) =>
        {
            Some(place.clone())
        }
        Some(Marker::Cursor(_)) => return Err(UseCaseError::MarkerNotFound),
        Some(Marker::Image(id)) => Some(index_cursor(rank, &load_marker_image(app, caller, id).await?)),
    };
    let streams = plan.streams(rank).await?;
    read_page(&PageReader { app, caller, query: &query, streams }, after, order).await
}

/// Lists those of some images that stand in some lists and match, in pages; those received are the caller's. One batch
/// read for every 50 of them, however long the lists are, and one for every 100 of the caller's own.
///
/// # Errors
/// As [`list_images`].
pub async fn find_images<F: Fn(&VisibleImage) -> bool>(
    app: &App,
    caller: &Caller,
    ids: &[ImageId],
    query: ImageQuery<F>,
) -> Result<ImagePage, UseCaseError> {
    if query.lists.is_empty() || query.limit == 0 {
        return Ok(ImagePage::default());
    }
    let mut best = TopRows::start_after(app, caller, &query).await?;
    let read = app.store.images_and_statuses(ids, &caller.tenant).await?;
    let found = read.into_iter().filter_map(|(image, received)| {
        let image = image.bypass(Bypass::List);
        list_reason(&query.lists, &image, received).map(|shown| (image, shown))
    });
    let found = found.collect();
    best.add(if query.needs_member_counts {
        with_member_counts(&app.store, found).await?
    } else {
        found.into_iter().map(|(image, shown)| VisibleImage { image, reason: shown, members: 0 }).collect()
    });
    Ok(best.into_page())
}

/// Counts the members of those images that are the caller's own. One batch read for every 100 of these.
async fn with_member_counts(
    store: &Store,
    found: Vec<(Image, ListReason)>,
) -> Result<Vec<VisibleImage>, StoreError> {
    let own = found.iter().filter(|(_, shown)| *shown == ListReason::Owned).map(|(image, _)| &image.id);
    let own: Vec<_> = own.collect();
    let counts = if own.is_empty() { HashMap::new() } else { store.member_counts(own).await? };
    let seen = found.into_iter().map(|(image, shown)| {
        let members = counts.get(&image.id).copied().unwrap_or_default();
        VisibleImage { image, reason: shown, members }
    });
    Ok(seen.collect())
}

async fn load_marker_image(app: &App, caller: &Caller, id: &ImageId) -> Result<Image, UseCaseError> {
    show_image(app, caller, id).await.map_err(|refusal| match refusal {
        UseCaseError::ImageNotFound(_) => UseCaseError::MarkerNotFound,
        other => other,
    })
}

/// What a page is read from.
struct PageReader<'a, F> {
    app: &'a App,
    caller: &'a Caller,
    query: &'a ImageQuery<F>,
    streams: Vec<CursorStream>,
}

/// Reads a page from streams that come in its order.
async fn read_page<F: Fn(&VisibleImage) -> bool>(
    reader: &PageReader<'_, F>,
    mut after: Option<Cursor>,
    order: Order,
) -> Result<ImagePage, UseCaseError> {
    let query = reader.query;
    let mut page = ImagePage::default();
    let mut examined = 0;
    loop {
        let (places, more) =
            reader.merge_cursors(after.as_ref(), order, query.limit.max(MAX_IMAGES_PER_READ)).await?;
        let mut chunks = places.chunks(MAX_IMAGES_PER_READ.min(query.limit)).peekable();
        while let Some(chunk) = chunks.next() {
            let mut unread = chunk.iter().zip(reader.read_images(chunk).await?);
            for ((place, _), seen) in unread.by_ref() {
                after = Some(place.clone());
                let seen = seen.filter(|seen| (query.filter)(seen));
                page.rows.extend(seen.map(|seen| ImageRow { visible: seen, cursor: place.clone() }));
                if page.rows.len() == query.limit {
                    break;
                }
            }
            examined += chunk.len();
            let left = more || chunks.peek().is_some() || unread.next().is_some();
            let is_full = page.rows.len() == query.limit;
            if left && page.rows.is_empty() && examined >= MAX_EXAMINED_WITHOUT_MATCH {
                let next = after.map(Marker::Cursor).map(Box::new);
                return Err(UseCaseError::ScanLimitReached { examined, next });
            }
            if left && (is_full || !page.rows.is_empty() && examined >= MAX_EXAMINED) {
                page.next = after.map(Marker::Cursor);
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

/// A place, and the list that it is from: see [`CursorStream`].
type SourcedCursor = (Cursor, Option<usize>);

impl<F> PageReader<'_, F> {
    /// The next places of all streams as one, at most `most`, and whether there are more. One query of each stream.
    async fn merge_cursors(
        &self,
        after: Option<&Cursor>,
        order: Order,
        limit: usize,
    ) -> Result<(Vec<SourcedCursor>, bool), UseCaseError> {
        let store = &self.app.store;
        // Of many streams each is asked for its part, so that they together are not read for many pages.
        let each = if self.streams.len() <= MAX_FULL_PAGE_STREAMS {
            limit
        } else {
            (limit / MAX_FULL_PAGE_STREAMS).max(1)
        };
        let pages = self.streams.iter().map(|stream| stream.cursors(store, after, order, each + 1));
        let pages = run_concurrently(pages.collect()).await?;
        let by_place = |a: &Cursor, b: &Cursor| if order == Order::NewestFirst { b.cmp(a) } else { a.cmp(b) };
        // No stream has anything unread before the last place that was read of it.
        let unread = pages.iter().filter(|page| page.len() > each).filter_map(|page| page.last());
        let end = unread.min_by(|a, b| by_place(a, b)).cloned();
        let mut places: Vec<SourcedCursor> = self
            .streams
            .iter()
            .zip(pages)
            .flat_map(|(stream, places)| places.into_iter().map(|place| (place, stream.list_index)))
            .collect();
        if let Some(end) = &end {
            places.retain(|(place, _)| by_place(place, end).is_lt());
        }
        places.sort_by(|(a, first), (b, second)| {
            // What a list of the caller's says needs no looking up.
            by_place(a, b).then(first.is_none().cmp(&second.is_none())).then(first.cmp(second))
        });
        places.dedup_by(|(later, _), (earlier, _)| later == earlier);
        let more = end.is_some() || places.len() > limit;
        places.truncate(limit);
        Ok((places, more))
    }

    /// Reads the images of some places, at most 100; an image that is gone or not visible any more is `None`.
    async fn read_images(&self, places: &[SourcedCursor]) -> Result<Vec<Option<VisibleImage>>, StoreError> {
        let list = |number: &Option<usize>| number.and_then(|number| self.query.lists.get(number));
        let images_of = |is: &dyn Fn(&Option<usize>) -> bool| {
            places.iter().filter(|(_, from)| is(from)).map(|(place, _)| &place.position.image).collect()
        };
        let is_counted =
            |from: &_| self.query.needs_member_counts && matches!(list(from), Some(List::Owned(_)));
        let wanted = ImageFetch {
            images: images_of(&|_| true),
            with_member_count: images_of(&is_counted),
            with_status: images_of(&Option::is_none),
            tenant: Some(&self.caller.tenant),
        };
        let mut images = self.app.store.listed_images(&wanted).await?;
        let seen = places.iter().map(|(place, from)| {
            let ListedImage { image, member_count: members, status: answer } =
                images.remove(&place.position.image)?;
            let image = image.bypass(Bypass::List);
            let received = match (from, list(from)) {
                (None, _) => answer,
                (_, Some(List::Received(_, status))) => Some(*status),
                _ => None,
            };
            list_reason(&self.query.lists, &image, received).map(|shown| VisibleImage {
                image,
                reason: shown,
                members,
            })
        });
        Ok(seen.collect())
    }
}

/// Why an image is in some lists: by the first that holds it. `received` is what the caller has said to it.
///
/// An image that was made public stays in the lists of those who received it, so one list may not speak for all.
pub(super) fn list_reason(lists: &[List], image: &Image, received: Option<Status>) -> Option<ListReason> {
    lists.iter().find_map(|list| match list {
        List::Owned(owner) => (image.owner == *owner).then_some(ListReason::Owned),
        List::Received(_, status) => (received == Some(*status) && image.visibility == Visibility::Shared)
            .then_some(ListReason::Received(*status)),
        List::Open(visibility) => (image.visibility == *visibility).then_some(ListReason::Open),
    })
}

/// Reads all that there is and sorts it.
async fn list_sorted<F: Fn(&VisibleImage) -> bool>(
    app: &App,
    caller: &Caller,
    query: &ImageQuery<F>,
    plan: QueryPlan<'_>,
) -> Result<ImagePage, UseCaseError> {
    let mut best = TopRows::start_after(app, caller, query).await?;
    let reader = PageReader { app, caller, query, streams: plan.streams(order::IndexKey::Created).await? };
    let (mut after, mut examined) = (None, 0);
    loop {
        let (places, more) =
            reader.merge_cursors(after.as_ref(), Order::NewestFirst, MAX_CURSORS_PER_QUERY).await?;
        examined += places.len();
        if examined > MAX_SORTED {
            return Err(UseCaseError::TooManyToSort(MAX_SORTED));
        }
        for chunk in places.chunks(MAX_IMAGES_PER_READ) {
            best.add(reader.read_images(chunk).await?.into_iter().flatten());
        }
        after = places.last().map(|(place, _)| place.clone());
        if !more {
            return Ok(best.into_page());
        }
    }
}

/// The first images of an order among all that it is given: a page, and one more.
struct TopRows<'a, F> {
    query: &'a ImageQuery<F>,
    after: Option<Cursor>,
    rows: Vec<ImageRow>,
}

impl<'a, F: Fn(&VisibleImage) -> bool> TopRows<'a, F> {
    /// Begins the page after the query's marker.
    async fn start_after(app: &App, caller: &Caller, query: &'a ImageQuery<F>) -> Result<Self, UseCaseError> {
        let after = match &query.after {
            None => None,
            Some(Marker::Cursor(place)) if place.values.len() == value_count(&query.sort) => {
                Some(place.clone())
            }
            Some(Marker::Cursor(_)) => return Err(UseCaseError::MarkerNotFound),
            Some(Marker::Image(image)) => {
                Some(sort_cursor(&query.sort, &load_marker_image(app, caller, image).await?))
            }
        };
        Ok(Self { query, after, rows: Vec::new() })
    }

    fn add(&mut self, found: impl IntoIterator<Item = VisibleImage>) {
        let Self { query, after, rows } = self;
        let compare = |a: &Cursor, b: &Cursor| compare(&query.sort, a, b);
        let matching = found.into_iter().filter(|seen| (query.filter)(seen));
        let found =
            matching.map(|seen| ImageRow { cursor: sort_cursor(&query.sort, &seen.image), visible: seen });
        rows.extend(
            found.filter(|row| after.as_ref().is_none_or(|after| compare(&row.cursor, after).is_gt())),
        );
        rows.sort_by(|a, b| compare(&a.cursor, &b.cursor));
        rows.truncate(query.limit + 1);
    }

    fn into_page(self) -> ImagePage {
        let (mut rows, most) = (self.rows, self.query.limit);
        let more = rows.len() > most;
        rows.truncate(most);
        let next = rows.last().filter(|_| more).map(|last| Marker::Cursor(last.cursor.clone()));
        ImagePage { rows, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Details, Timestamp};

    #[test]
    fn published_image_stays_visible_to_its_recipients() {
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
        assert_eq!(list_reason(&lists, &image(Visibility::Public), accepted), Some(ListReason::Open));
        assert_eq!(
            list_reason(&lists, &image(Visibility::Shared), accepted),
            Some(ListReason::Received(Status::Accepted))
        );
        assert_eq!(list_reason(&lists, &image(Visibility::Shared), Some(Status::Pending)), None);
        assert_eq!(list_reason(&lists, &image(Visibility::Private), accepted), None);
    }
}
