//! `GET /v2/images`: the images that the caller sees (`contract/glance.md` 2.6).
//!
//! `marker` is the id of the last image of the page before, as clients have it, or the place that `next` names
//! ([`Listing`]), which outlives the image.

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
use super::request::no_body;
use super::{Error, image};
use crate::facade::marker::Listing;
use crate::facade::{Reply, json, page};
use crate::function::Call;
use crate::usecases::{self, Exact, ImageQuery, Marker, Refusal, Seen};

/// The operation's route.
pub const ROUTE: &str = "GET /v2/images";

/// Images on a page where the client does not say how many, and where it asks for more than that (Glance's
/// `limit_param_default` and `api_limit_max`).
const PAGE: usize = 25;
const LARGEST_PAGE: usize = 1000;

/// `?<filters>&limit=&marker=&sort=` in, `{"images":[…],"first","next","schema"}` out; `next` only where there may be more.
pub async fn answer(call: &Call) -> Reply {
    list(call).await.unwrap_or_else(Error::into_reply)
}

async fn list(call: &Call) -> Result<Reply, Error> {
    no_body(call)?;
    let query = Query::parse(call.raw_query())?;
    let (view, filter) = (View::parse(&query)?, Filter::parse(&query)?);
    let (service, caller) = (&call.service, call.caller());
    let listing = Listing::new(ROUTE, caller).of_query(query.pairs());
    let (sort, most, after) = (sort::parse(&query)?, limit(&query)?, marker(&query, &listing)?);
    let matches = |seen: &Seen| view.shows(seen, caller) && filter.passes(&seen.image);
    let exact = Exact { owner: view.owner(), ..filter.exact.clone() };
    let lists = view.lists(caller);
    let wanted = ImageQuery { lists, matches, exact, counts_members: false, sort, after, most };
    let found = match &filter.ids {
        Some(ids) => usecases::find_images(service, caller, ids, wanted).await,
        None => usecases::list_images(service, caller, wanted).await,
    };
    let found = found.map_err(|refusal| match refusal {
        Refusal::MarkerNotFound => no_marker(query.one("marker").unwrap_or_default()),
        Refusal::NothingFound { examined, next: Some(next) } => nothing_found(examined, &listing.write(next)),
        other => other.into(),
    })?;
    let (images, next) = page::texts(found, page::MOST_BYTES, |seen| page::text(&image::Wire(&seen.image)));
    let next = next.map(|next| query.link(Some(&listing.write(next))));
    Ok(json(StatusCode::OK, &Page { images, first: query.link(None), next, schema: "/v2/schemas/images" }))
}

#[derive(Serialize)]
struct Page {
    images: Vec<Box<RawValue>>,
    first: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    schema: &'static str,
}

fn limit(query: &Query) -> Result<usize, Error> {
    let Some(text) = query.one("limit") else { return Ok(PAGE) };
    match text.parse::<i64>() {
        Err(_) => Err(Error::bad_request("limit param must be an integer")),
        Ok(..0) => Err(Error::bad_request("limit param must be positive")),
        Ok(limit) => Ok(usize::try_from(limit).unwrap_or(LARGEST_PAGE).min(LARGEST_PAGE)),
    }
}

fn marker(query: &Query, listing: &Listing) -> Result<Option<Marker>, Error> {
    let read = |text| listing.read_of_images(text).ok_or_else(|| no_marker(text));
    query.one("marker").map(read).transpose()
}

/// A page without images and with a `next` would be taken for the end of the list.
fn nothing_found(examined: usize, next: &str) -> Error {
    Error::bad_request(format!(
        "None of the first {examined} images matches. Narrow the list by name, id, tag or owner, or go on with marker={next}"
    ))
}

fn no_marker(text: &str) -> Error {
    Error::new(StatusCode::BAD_REQUEST, "IMG.0027", format!("No image found with ID {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_as_long_as_asked_for_within_limits() {
        let limit = |text: &str| limit(&Query::parse(text).unwrap()).map_err(|error| format!("{error:?}"));
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
