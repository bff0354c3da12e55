//! `GET /v2/images`: list the images that the caller sees (`contract/glance.md` 2.6).
//!
//! `marker` is the id of the last image of the page before, as clients send it, or the position in `next`
//! ([`Listing`]), which stays valid if the image is deleted.

mod filter;
mod query;
mod sort;
mod view;

use http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;

use self::filter::Filter;
use self::query::Query;
use self::view::View;
use super::{Error, image};
use crate::http::{AuthenticatedRequest, HttpResponse, Listing, json_response, page};
use crate::usecases::{self, ImageQuery, IndexFilter, Marker, UseCaseError, VisibleImage};

/// The operation's route.
pub const ROUTE: &str = "GET /v2/images";

/// The default and the maximum page size, Glance's `limit_param_default` and `api_limit_max`.
const DEFAULT_PAGE_SIZE: usize = 25;
const MAX_PAGE_SIZE: usize = 1000;

/// `?<filters>&limit=&marker=&sort=` in, `{"images":[…],"first","next","schema"}` out; `next` only if there may be
/// more.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    list(request).await.unwrap_or_else(Error::into_response)
}

async fn list(request: &AuthenticatedRequest) -> Result<HttpResponse, Error> {
    request.ensure_no_body()?;
    let query = Query::parse(request.raw_query())?;
    let (view, filter) = (View::parse(&query)?, Filter::parse(&query)?);
    let (app, caller) = (&request.app, request.caller());
    let listing = Listing::new(ROUTE, caller).with_query(query.pairs());
    let (sort, limit, after) = (sort::parse(&query)?, parse_limit(&query)?, parse_marker(&query, &listing)?);
    let matches = |visible: &VisibleImage| view.includes(visible, caller) && filter.matches(&visible.image);
    let index_filter = IndexFilter { owner: view.owner(), ..filter.indexed.clone() };
    let lists = view.lists(caller);
    let image_query =
        ImageQuery { lists, filter: matches, index_filter, needs_member_counts: false, sort, after, limit };
    let page = match &filter.ids {
        Some(ids) => usecases::find_images(app, caller, ids, image_query).await,
        None => usecases::list_images(app, caller, image_query).await,
    };
    let page = page.map_err(|error| match error {
        UseCaseError::MarkerNotFound => marker_not_found(query.first("marker").unwrap_or_default()),
        UseCaseError::ScanLimitReached { examined, next: Some(next) } => {
            no_match(examined, &listing.encode_marker(next))
        }
        other => other.into(),
    })?;
    let (images, next) = page::render_images(page, page::MAX_BYTES, |visible| {
        page::raw_json(&image::ImageJson(&visible.image))
    });
    let next = next.map(|next| query.link(Some(&listing.encode_marker(next))));
    Ok(json_response(
        StatusCode::OK,
        &PageBody { images, first: query.link(None), next, schema: "/v2/schemas/images" },
    ))
}

#[derive(Serialize)]
struct PageBody {
    images: Vec<Box<RawValue>>,
    first: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    schema: &'static str,
}

fn parse_limit(query: &Query) -> Result<usize, Error> {
    let Some(text) = query.first("limit") else { return Ok(DEFAULT_PAGE_SIZE) };
    match text.parse::<i64>() {
        Err(_) => Err(Error::bad_request("limit param must be an integer")),
        Ok(..0) => Err(Error::bad_request("limit param must be positive")),
        Ok(limit) => Ok(usize::try_from(limit).unwrap_or(MAX_PAGE_SIZE).min(MAX_PAGE_SIZE)),
    }
}

fn parse_marker(query: &Query, listing: &Listing) -> Result<Option<Marker>, Error> {
    let parse = |text| listing.decode_image_marker(text).ok_or_else(|| marker_not_found(text));
    query.first("marker").map(parse).transpose()
}

/// Clients would take an empty page for the end of the list, even with a `next`. So it is an error, with the marker.
fn no_match(examined: usize, next: &str) -> Error {
    Error::bad_request(format!(
        "None of the first {examined} images matches. Narrow the list by name, id, tag or owner, or go on with marker={next}"
    ))
}

fn marker_not_found(text: &str) -> Error {
    Error::new(StatusCode::BAD_REQUEST, "IMG.0027", format!("No image found with ID {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_limit_is_validated_and_capped() {
        let limit =
            |text: &str| parse_limit(&Query::parse(text).unwrap()).map_err(|error| format!("{error:?}"));
        for (text, expected) in
            [("", 25), ("limit=0", 0), ("limit=7", 7), ("limit=1001", 1000), ("limit=4294967296", 1000)]
        {
            assert_eq!(limit(text), Ok(expected));
        }
        for text in ["limit=-1", "limit=-9223372036854775808"] {
            assert!(limit(text).unwrap_err().contains("\"limit param must be positive\""));
        }
        for text in ["limit=", "limit=x", "limit=1.5", "limit=1e3", "limit=99999999999999999999"] {
            assert!(limit(text).unwrap_err().contains("\"limit param must be an integer\""), "{text}");
        }
    }
}
