//! `GET /v2/cloudimages`: list the caller's own images, those shared with it, by status, and the public ones (seed 001,
//! `contract/ims.md` 1.5).

use http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;

use super::filter::Filter;
use super::image;
use super::view::{ImageClass, View};
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, Listing, Query, json_response, page};
use crate::usecases::{
    self, Direction, ImagePage, ImageQuery, IndexFilter, Marker, Sort, SortKey, UseCaseError, VisibleImage,
};

/// The operation's route.
pub const ROUTE: &str = "GET /v2/cloudimages";

/// `?<filters>&limit=&marker=&sort_key=&sort_dir=` in, `{"images":[…],"page_info":{"next_marker"}}` out; `next_marker`
/// only if there may be more.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    list(request).await.unwrap_or_else(ApiError::into_response)
}

async fn list(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let query = Query::parse(request.raw_query())?;
    let (view, filter) = (View::parse(&query)?, Filter::parse(&query)?);
    let (app, caller) = (&request.app, request.caller());
    let listing = Listing::new(ROUTE, caller).with_query(query.pairs());
    let (sort, limit, after) = (parse_sort(&query)?, query.limit()?, parse_marker(&query, &listing)?);
    let lists = view.lists(caller);
    let matches = |visible: &VisibleImage| view.includes(visible) && filter.matches(&visible.image);
    let index_filter = IndexFilter { owner: view.owner(), ..filter.index_filter() };
    let image_query =
        ImageQuery { lists, filter: matches, index_filter, needs_member_counts: true, sort, after, limit };
    let page = match &filter.id {
        Some(id) => usecases::find_images(app, caller, std::slice::from_ref(id), image_query).await,
        None => usecases::list_images(app, caller, image_query).await,
    };
    let page = page.map_err(|error| match error {
        UseCaseError::ScanLimitReached { examined, next: Some(next) } => {
            no_match(examined, &listing.encode_marker(next))
        }
        other => other.into(),
    })?;
    Ok(json_response(StatusCode::OK, &page_body(page, &listing)))
}

/// Clients would take an empty page for the end of the list, even with a `next_marker`. So it is an error, with the
/// marker.
fn no_match(examined: usize, next: &str) -> ApiError {
    ApiError::bad_request(
        "IMG.0105",
        format!(
            "None of the first {examined} images matches. Narrow the list by name, id, tag or owner, or go on with marker={next}"
        ),
    )
}

/// Parses one key and one direction. Ties are ordered by time and id, in the same direction.
fn parse_sort(query: &Query) -> Result<Sort, ApiError> {
    let keys = [
        ("created_at", Some(SortKey::CreatedAt)),
        ("name", Some(SortKey::Name)),
        ("container_format", Some(SortKey::ContainerFormat)),
        ("disk_format", Some(SortKey::DiskFormat)),
        ("id", Some(SortKey::Id)),
        // Equal for all images, so there is nothing to sort by.
        ("status", None),
        ("size", None),
    ];
    let directions = [("asc", Direction::Ascending), ("desc", Direction::Descending)];
    let key = query.one_of("sort_key", &keys)?.unwrap_or(Some(SortKey::CreatedAt));
    let direction = query.one_of("sort_dir", &directions)?.unwrap_or(Direction::Descending);
    let mut sort: Sort = key.map(|key| (key, direction)).into_iter().collect();
    // Ties are newest first by default.
    if direction == Direction::Ascending {
        let ties = [SortKey::CreatedAt, SortKey::Id].into_iter().filter(|tie| key != Some(*tie));
        sort.extend(ties.map(|tie| (tie, direction)));
    }
    Ok(sort)
}

fn parse_marker(query: &Query, listing: &Listing) -> Result<Option<Marker>, ApiError> {
    let marker = query
        .text("marker")
        .map(|text| listing.decode_image_marker(text).ok_or(UseCaseError::MarkerNotFound));
    Ok(marker.transpose()?)
}

#[derive(Serialize)]
struct PageBody {
    images: Vec<Box<RawValue>>,
    page_info: PageInfo,
}

#[derive(Serialize)]
struct PageInfo {
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

fn page_body(page: ImagePage, listing: &Listing) -> PageBody {
    let (images, next) = page::render_images(page, page::MAX_BYTES, |visible| {
        page::raw_json(&image::ImageJson { image: &visible.image, class: ImageClass::classify(visible)? })
    });
    PageBody { images, page_info: PageInfo { next_marker: next.map(|next| listing.encode_marker(next)) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_order_is_newest_first() {
        let sort = |query: &str| parse_sort(&Query::parse(query).unwrap());
        assert_eq!(sort("").unwrap(), [(SortKey::CreatedAt, Direction::Descending)]);
        let ascending =
            |keys: &[SortKey]| keys.iter().map(|key| (*key, Direction::Ascending)).collect::<Sort>();
        let by_name = ascending(&[SortKey::Name, SortKey::CreatedAt, SortKey::Id]);
        assert_eq!(sort("sort_key=name&sort_dir=asc").unwrap(), by_name);
        assert_eq!(sort("sort_key=name").unwrap(), [(SortKey::Name, Direction::Descending)]);
        let by_id = ascending(&[SortKey::Id, SortKey::CreatedAt]);
        assert_eq!(sort("sort_key=id&sort_dir=asc").unwrap(), by_id);
        assert_eq!(sort("sort_key=size").unwrap(), []);
        assert!(
            format!("{:?}", sort("sort_key=colour")).contains("sort_key: expected one of created_at, name")
        );
        assert!(format!("{:?}", sort("sort_dir=ASC")).contains("sort_dir: expected one of asc, desc"));
    }
}
