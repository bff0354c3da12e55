//! `GET /v2/images`: the images that the caller sees (`contract/glance.md` 2.6).
//!
//! `marker` is the id of the last image of the page before, and `next` is made with it; only where a page ends on an image
//! that it does not show, since a filter leaves it out, `next` names the place instead ([`Listing`]).

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
use crate::domain::ImageId;
use crate::facade::marker::Listing;
use crate::facade::{Reply, json, page};
use crate::function::Call;
use crate::usecases::{self, ImageQuery, Marker, Refusal, Seen};

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
    let wanted = ImageQuery { lists: view.lists(caller), matches, sort, after, most };
    let found = match &filter.ids {
        Some(ids) => usecases::find_images(service, caller, ids, wanted).await,
        None => usecases::list_images(service, caller, wanted).await,
    };
    let found = found.map_err(|refusal| match refusal {
        Refusal::MarkerNotFound => no_marker(query.one("marker").unwrap_or_default()),
        other => other.into(),
    })?;
    let shown: Vec<ImageId> = found.images.iter().map(|seen| seen.image.id.clone()).collect();
    let (images, next) = page::texts(found, page::MOST_BYTES, |seen| page::text(&image::Wire(&seen.image)));
    let next = next.map(|next| query.link(Some(&by_id(next, &shown, &listing))));
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

/// A marker, by the image's id alone where that is enough: the page shows the image, so that the caller sees it.
fn by_id(marker: Marker, shown: &[ImageId], listing: &Listing) -> String {
    match marker {
        Marker::Place(place) if shown.contains(&place.image) => place.image.to_string(),
        Marker::Image(image) => image.to_string(),
        place @ Marker::Place(_) => listing.write(place),
    }
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

fn no_marker(text: &str) -> Error {
    Error::new(StatusCode::BAD_REQUEST, "IMG.0027", format!("No image found with ID {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facade::example;

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

    #[test]
    fn a_page_goes_on_after_its_last_image_by_its_id_where_it_shows_it() {
        let (shown, listing) = (["a".parse().unwrap()], Listing::new(ROUTE, &example::caller("own1")));
        let by_id = |marker: &str| by_id(marker.parse().unwrap(), &shown, &listing);
        assert_eq!((by_id("a~5"), by_id("b")), ("a".to_owned(), "b".to_owned()));
        assert_eq!(listing.read(&by_id("b~5")), Some("b~5"));
    }
}
