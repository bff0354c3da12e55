//! List the images that a caller can see.
//!
//! A query merges several lists of the indexes (the images the caller owns, those it has accepted, those that are
//! open). In the order of creation, name or update a page costs one or two queries per list and one batch read per
//! 100 images, however long the lists are. Any other order has to read every image, and is refused above
//! [`MAX_SORTED`].
//!
//! A list is authorized by its key: [`List::Owned`] and [`List::Received`] contain the caller's tenant, and
//! [`List::Open`] is for all tenants. An image leaves this module only with its [`ListReason`].
//!
//! Images with an exact name, tag or owner are read from an index ([`IndexFilter`]). All other filters are applied to
//! the images read, so a page reads on until it is full or [`MAX_EXAMINED`] images were examined; it is then shorter
//! than its limit and has a marker to continue. A page without a match, which some clients take for the end, reads on
//! up to [`MAX_EXAMINED_WITHOUT_MATCH`] images, and then fails with an error that has the marker.

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
use crate::domain::{Bypass, Caller, Denied, Image, ImageId, Status, Visibility};
use crate::store::{Cursor, ImageFetch, List, ListedImage, Order, Store, StoreError};

/// The most images examined for a page with at least one match.
const MAX_EXAMINED: usize = 2_000;

/// The most images examined for a page without a match.
const MAX_EXAMINED_WITHOUT_MATCH: usize = 10_000;

/// The cursors that one query reads when a whole list is read.
const MAX_CURSORS_PER_QUERY: usize = 1_000;

/// The most streams that are each read for a whole page.
const MAX_FULL_PAGE_STREAMS: usize = 16;

/// Why an image is in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListReason {
    /// The caller owns the image.
    Owned,
    /// The image is shared with the caller, whose membership has this status.
    Received(Status),
    /// The image is public, or a community image.
    Open,
}

/// An image in a list, as the caller may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisibleImage {
    /// The image.
    pub image: Image,
    /// Why it is in the list.
    pub reason: ListReason,
    /// Its member count, which only its owner may see: 0 for the image of another tenant.
    pub members: u32,
}

/// An image in a list, and its position there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRow {
    /// The image.
    pub visible: VisibleImage,
    /// Its position in the order of the list.
    pub cursor: Cursor,
}

/// A page of images.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ImagePage {
    /// The images.
    pub rows: Vec<ImageRow>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<Marker>,
}

/// Lists one page of the images of some lists that match the query. The module's documentation says what it costs.
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
    let Some((key, order)) = index_order_for(&query.sort).filter(|(key, _)| plan.supports(*key)) else {
        return list_sorted(app, caller, &query, plan).await;
    };
    let after = match &query.after {
        None => None,
        Some(Marker::Cursor(cursor))
            if cursor.values.len() == usize::from(key != order::IndexKey::Created) =>
        {
            Some(cursor.clone())
        }
        Some(Marker::Cursor(_)) => return Err(UseCaseError::MarkerNotFound),
        Some(Marker::Image(id)) => Some(index_cursor(key, &load_marker_image(app, caller, id).await?)),
    };
    let streams = plan.streams(key).await?;
    read_page(&PageReader { app, caller, query: &query, streams }, after, order).await
}

/// Lists one page of the images with these ids that are in some lists and match the query. Costs one batch read per
/// 50 ids, however long the lists are, and one per 100 of the caller's own images if member counts are needed.
///
/// # Errors
/// The errors of [`list_images`].
pub async fn find_images<F: Fn(&VisibleImage) -> bool>(
    app: &App,
    caller: &Caller,
    ids: &[ImageId],
    query: ImageQuery<F>,
) -> Result<ImagePage, UseCaseError> {
    if query.lists.is_empty() || query.limit == 0 {
        return Ok(ImagePage::default());
    }
    let mut top_rows = TopRows::start_after(app, caller, &query).await?;
    let read = app.store.images_and_statuses(ids, &caller.tenant).await?;
    let found = read.into_iter().filter_map(|(image, received)| {
        let image = image.bypass(Bypass::List);
        list_reason(&query.lists, &image, received).map(|reason| (image, reason))
    });
    let found = found.collect();
    top_rows.add(if query.needs_member_counts {
        with_member_counts(&app.store, found).await?
    } else {
        found.into_iter().map(|(image, reason)| VisibleImage { image, reason, members: 0 }).collect()
    });
    Ok(top_rows.into_page())
}

/// Adds the member counts of the caller's own images. Costs one batch read per 100 of these.
async fn with_member_counts(
    store: &Store,
    found: Vec<(Image, ListReason)>,
) -> Result<Vec<VisibleImage>, StoreError> {
    let own = found.iter().filter(|(_, reason)| *reason == ListReason::Owned).map(|(image, _)| &image.id);
    let own: Vec<_> = own.collect();
    let counts = if own.is_empty() { HashMap::new() } else { store.member_counts(own).await? };
    let visible = found.into_iter().map(|(image, reason)| {
        let members = counts.get(&image.id).copied().unwrap_or_default();
        VisibleImage { image, reason, members }
    });
    Ok(visible.collect())
}

async fn load_marker_image(app: &App, caller: &Caller, id: &ImageId) -> Result<Image, UseCaseError> {
    show_image(app, caller, id).await.map_err(|error| match error {
        UseCaseError::Denied(Denied::ImageNotFound(_)) => UseCaseError::MarkerNotFound,
        other => other,
    })
}

/// Reads the pages of a query from its streams.
struct PageReader<'a, F> {
    app: &'a App,
    caller: &'a Caller,
    query: &'a ImageQuery<F>,
    streams: Vec<CursorStream>,
}

/// Reads a page from streams in the page's order.
async fn read_page<F: Fn(&VisibleImage) -> bool>(
    reader: &PageReader<'_, F>,
    mut after: Option<Cursor>,
    order: Order,
) -> Result<ImagePage, UseCaseError> {
    let query = reader.query;
    let mut page = ImagePage::default();
    let mut examined = 0;
    loop {
        let (cursors, more) =
            reader.merge_cursors(after.as_ref(), order, query.limit.max(MAX_IMAGES_PER_READ)).await?;
        let mut chunks = cursors.chunks(MAX_IMAGES_PER_READ.min(query.limit)).peekable();
        while let Some(chunk) = chunks.next() {
            let mut rest = chunk.iter().zip(reader.read_images(chunk).await?);
            for ((cursor, _), visible) in rest.by_ref() {
                after = Some(cursor.clone());
                let visible = visible.filter(|visible| (query.filter)(visible));
                page.rows.extend(visible.map(|visible| ImageRow { visible, cursor: cursor.clone() }));
                if page.rows.len() == query.limit {
                    break;
                }
            }
            examined += chunk.len();
            let has_more = more || chunks.peek().is_some() || rest.next().is_some();
            let is_full = page.rows.len() == query.limit;
            if has_more && page.rows.is_empty() && examined >= MAX_EXAMINED_WITHOUT_MATCH {
                let next = after.map(Marker::Cursor).map(Box::new);
                return Err(UseCaseError::ScanLimitReached { examined, next });
            }
            if has_more && (is_full || !page.rows.is_empty() && examined >= MAX_EXAMINED) {
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

/// A cursor, and the index of the list it is from: see [`CursorStream`].
type SourcedCursor = (Cursor, Option<usize>);

impl<F> PageReader<'_, F> {
    /// Merges the next cursors of all streams. Returns at most `limit`, and whether there are more. Costs one query
    /// per stream.
    async fn merge_cursors(
        &self,
        after: Option<&Cursor>,
        order: Order,
        limit: usize,
    ) -> Result<(Vec<SourcedCursor>, bool), UseCaseError> {
        let store = &self.app.store;
        // Of many streams, each is read for a part of the page only, so that not many pages are read for one.
        let limit_per_stream = if self.streams.len() <= MAX_FULL_PAGE_STREAMS {
            limit
        } else {
            (limit / MAX_FULL_PAGE_STREAMS).max(1)
        };
        let pages =
            self.streams.iter().map(|stream| stream.cursors(store, after, order, limit_per_stream + 1));
        let pages = run_concurrently(pages.collect()).await?;
        let compare_cursors =
            |a: &Cursor, b: &Cursor| if order == Order::NewestFirst { b.cmp(a) } else { a.cmp(b) };
        // A stream that has more is known only up to its last cursor, so the page ends at the earliest of these.
        let truncated =
            pages.iter().filter(|page| page.len() > limit_per_stream).filter_map(|page| page.last());
        let end = truncated.min_by(|a, b| compare_cursors(a, b)).cloned();
        let mut cursors: Vec<SourcedCursor> = self
            .streams
            .iter()
            .zip(pages)
            .flat_map(|(stream, cursors)| cursors.into_iter().map(|cursor| (cursor, stream.list_index)))
            .collect();
        if let Some(end) = &end {
            cursors.retain(|(cursor, _)| compare_cursors(cursor, end).is_lt());
        }
        cursors.sort_by(|(a, first), (b, second)| {
            // A cursor from a list of the caller comes first: the status of its membership need not be read.
            compare_cursors(a, b).then(first.is_none().cmp(&second.is_none())).then(first.cmp(second))
        });
        cursors.dedup_by(|(later, _), (earlier, _)| later == earlier);
        let more = end.is_some() || cursors.len() > limit;
        cursors.truncate(limit);
        Ok((cursors, more))
    }

    /// Reads the images at some cursors, at most 100. An image that was deleted, or is no longer visible, is `None`.
    async fn read_images(&self, cursors: &[SourcedCursor]) -> Result<Vec<Option<VisibleImage>>, StoreError> {
        let list = |number: &Option<usize>| number.and_then(|number| self.query.lists.get(number));
        let images_of = |is: &dyn Fn(&Option<usize>) -> bool| {
            cursors.iter().filter(|(_, from)| is(from)).map(|(cursor, _)| &cursor.position.image).collect()
        };
        let is_counted =
            |from: &_| self.query.needs_member_counts && matches!(list(from), Some(List::Owned(_)));
        let fetch = ImageFetch {
            images: images_of(&|_| true),
            with_member_count: images_of(&is_counted),
            with_member: images_of(&Option::is_none),
            tenant: Some(&self.caller.tenant),
        };
        let mut images = self.app.store.listed_images(&fetch).await?;
        let visible = cursors.iter().map(|(cursor, from)| {
            let ListedImage { image, member_count: members, member } =
                images.remove(&cursor.position.image)?;
            let image = image.bypass(Bypass::List);
            let received = match (from, list(from)) {
                (None, _) => member.map(|member| member.status),
                (_, Some(List::Received(_, status))) => Some(*status),
                _ => None,
            };
            list_reason(&self.query.lists, &image, received).map(|reason| VisibleImage {
                image,
                reason,
                members,
            })
        });
        Ok(visible.collect())
    }
}

/// Why an image is in some lists: the reason of the first that contains it. `received` is the status of the caller's
/// membership.
///
/// A public image stays in the lists of the recipients it had, so each list has to be checked against the image.
pub(super) fn list_reason(lists: &[List], image: &Image, received: Option<Status>) -> Option<ListReason> {
    lists.iter().find_map(|list| match list {
        List::Owned(owner) => (image.owner == *owner).then_some(ListReason::Owned),
        List::Received(_, status) => (received == Some(*status) && image.visibility == Visibility::Shared)
            .then_some(ListReason::Received(*status)),
        List::Open(visibility) => (image.visibility == *visibility).then_some(ListReason::Open),
    })
}

/// Reads the whole lists, and sorts their images for one page.
async fn list_sorted<F: Fn(&VisibleImage) -> bool>(
    app: &App,
    caller: &Caller,
    query: &ImageQuery<F>,
    plan: QueryPlan<'_>,
) -> Result<ImagePage, UseCaseError> {
    let mut top_rows = TopRows::start_after(app, caller, query).await?;
    let reader = PageReader { app, caller, query, streams: plan.streams(order::IndexKey::Created).await? };
    let (mut after, mut examined) = (None, 0);
    loop {
        let (cursors, more) =
            reader.merge_cursors(after.as_ref(), Order::NewestFirst, MAX_CURSORS_PER_QUERY).await?;
        examined += cursors.len();
        if examined > MAX_SORTED {
            return Err(UseCaseError::TooManyToSort(MAX_SORTED));
        }
        for chunk in cursors.chunks(MAX_IMAGES_PER_READ) {
            top_rows.add(reader.read_images(chunk).await?.into_iter().flatten());
        }
        after = cursors.last().map(|(cursor, _)| cursor.clone());
        if !more {
            return Ok(top_rows.into_page());
        }
    }
}

/// Collects the first images in an order: those of a page, and one more.
struct TopRows<'a, F> {
    query: &'a ImageQuery<F>,
    after: Option<Cursor>,
    rows: Vec<ImageRow>,
}

impl<'a, F: Fn(&VisibleImage) -> bool> TopRows<'a, F> {
    /// Starts the page after the query's marker.
    async fn start_after(app: &App, caller: &Caller, query: &'a ImageQuery<F>) -> Result<Self, UseCaseError> {
        let after = match &query.after {
            None => None,
            Some(Marker::Cursor(cursor)) if cursor.values.len() == value_count(&query.sort) => {
                Some(cursor.clone())
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
        let matching = found.into_iter().filter(|visible| (query.filter)(visible));
        let found =
            matching.map(|visible| ImageRow { cursor: sort_cursor(&query.sort, &visible.image), visible });
        rows.extend(
            found.filter(|row| after.as_ref().is_none_or(|after| compare(&row.cursor, after).is_gt())),
        );
        rows.sort_by(|a, b| compare(&a.cursor, &b.cursor));
        rows.truncate(query.limit + 1);
    }

    fn into_page(self) -> ImagePage {
        let (mut rows, limit) = (self.rows, self.query.limit);
        let more = rows.len() > limit;
        rows.truncate(limit);
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
