//! `GET /v2/cloudimages`: what the caller owns, was offered, accepted or rejected, and what is public (seed 001,
//! `contract/ims.md` 1.5).

use http::StatusCode;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::Error;
use super::error::no_body;
use super::filter::Filter;
use super::image;
use super::query::Query;
use super::view::{Class, View};
use crate::facade::{Reply, json as reply_json};
use crate::function::Call;
use crate::store::Position;
use crate::usecases::{self, Direction, ImagePage, ImageQuery, Marker, Refusal, Seen, Sort, SortKey};

/// The operation's route.
pub const ROUTE: &str = "GET /v2/cloudimages";

/// The most bytes of images on a page. A function may answer 6 MB; what the gateway's envelope adds is counted with them.
const MOST_BYTES: usize = 5_000_000;

/// `?<filters>&limit=&marker=&sort_key=&sort_dir=` in, `{"images":[…],"page_info":{"next_marker"}}` out; `next_marker`
/// only where there may be more.
pub async fn answer(call: &Call) -> Reply {
    list(call).await.unwrap_or_else(Error::into_reply)
}

async fn list(call: &Call) -> Result<Reply, Error> {
    no_body(call)?;
    let query = Query::parse(call.raw_query())?;
    let (view, filter) = (View::parse(&query)?, Filter::parse(&query)?);
    let (sort, most, after) = (sort(&query)?, query.limit()?, marker(&query)?);
    let (service, caller) = (&call.service, call.caller());
    let lists = view.lists(caller);
    let matches = |seen: &Seen| view.shows(seen) && filter.passes(&seen.image);
    let page = match (&filter.id, &after) {
        (Some(id), None) => {
            let found = usecases::find_image(service, caller, &lists, id).await?;
            ImagePage { images: found.into_iter().filter(matches).collect(), next: None }
        }
        _ => usecases::list_images(service, caller, ImageQuery { lists, matches, sort, after, most }).await?,
    };
    Ok(reply_json(StatusCode::OK, &wire(page, MOST_BYTES)))
}

fn sort(query: &Query) -> Result<Sort, Error> {
    let keys = [
        ("created_at", Some(SortKey::CreatedAt)),
        ("name", Some(SortKey::Name)),
        ("container_format", Some(SortKey::ContainerFormat)),
        ("disk_format", Some(SortKey::DiskFormat)),
        ("id", Some(SortKey::Id)),
        // The same for every image, so that nothing has to be sorted.
        ("status", None),
        ("size", None),
    ];
    let directions = [("asc", Direction::Ascending), ("desc", Direction::Descending)];
    let key = query.one_of("sort_key", &keys)?.unwrap_or(Some(SortKey::CreatedAt));
    let direction = query.one_of("sort_dir", &directions)?.unwrap_or(Direction::Descending);
    Ok(key.map(|key| (key, direction)).into_iter().collect())
}

fn marker(query: &Query) -> Result<Option<Marker>, Error> {
    let marker = query.text("marker").map(|text| text.parse().map_err(|_| Refusal::MarkerNotFound));
    Ok(marker.transpose()?)
}

/// A page as it is answered. Each image is text already: it was written once, to know its size.
#[derive(Serialize)]
struct Page {
    images: Vec<Box<RawValue>>,
    page_info: PageInfo,
}

#[derive(Serialize)]
struct PageInfo {
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

/// The page, cut short before it is too large to be answered.
fn wire(page: ImagePage, most_bytes: usize) -> Page {
    let (mut images, mut bytes, mut last, mut next) = (Vec::new(), 0, None, page.next);
    for seen in page.images {
        let Some(class) = Class::of(&seen) else { continue };
        // Texts, numbers and booleans are always written.
        let Ok(wire) = to_raw_value(&image::Wire { image: &seen.image, class }) else { continue };
        bytes += bytes_in_envelope(wire.get());
        if bytes > most_bytes && last.is_some() {
            next = last.map(Marker::Place);
            break;
        }
        last = Some(Position { created: seen.image.created, image: seen.image.id });
        images.push(wire);
    }
    Page { images, page_info: PageInfo { next_marker: next.map(|next| next.to_string()) } }
}

/// The size of a JSON text in the answer of a function, which holds the body as a JSON string.
fn bytes_in_envelope(json: &str) -> usize {
    json.len() + json.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::{Details, Image, Timestamp, Visibility};
    use crate::usecases::Shown;

    fn page(ids: &[&str]) -> ImagePage {
        let seen = |id: &&str| Seen {
            image: Image {
                id: id.parse().unwrap(),
                owner: "me".parse().unwrap(),
                visibility: Visibility::Shared,
                details: Details::default(),
                members: 0,
                created: Timestamp::from_unix_millis(5),
                updated: Timestamp::from_unix_millis(5),
                revision: 1,
            },
            shown: Shown::Own,
        };
        ImagePage { images: ids.iter().map(seen).collect(), next: None }
    }

    #[test]
    fn a_page_that_would_be_too_large_ends_earlier_and_says_where_to_go_on() {
        let whole = wire(page(&["a", "b", "c"]), MOST_BYTES);
        assert_eq!(serde_json::to_value(&whole.page_info).unwrap(), json!({}));
        let [a, b, c] = whole.images.as_slice() else { panic!("three images") };
        assert_eq!(serde_json::from_str::<Value>(c.get()).unwrap()["id"], "c");
        let two = bytes_in_envelope(a.get()) + bytes_in_envelope(b.get());
        let cut = wire(page(&["a", "b", "c"]), two);
        assert_eq!(cut.images.len(), 2);
        assert_eq!(serde_json::to_value(&cut.page_info).unwrap(), json!({ "next_marker": "b~5" }));
        assert_eq!(wire(page(&["a", "b"]), 1).images.len(), 1);
    }

    #[test]
    fn what_an_image_takes_in_the_envelope_is_known_to_the_byte() {
        let json = json!({ "a": "say \"hi\" \\ \n é" }).to_string();
        assert_eq!(bytes_in_envelope(&json), Value::from(json).to_string().len() - 2);
    }

    #[test]
    fn the_order_is_newest_first_unless_asked_otherwise() {
        let sort = |query: &str| sort(&Query::parse(query).unwrap());
        assert_eq!(sort("").unwrap(), [(SortKey::CreatedAt, Direction::Descending)]);
        assert_eq!(sort("sort_key=name&sort_dir=asc").unwrap(), [(SortKey::Name, Direction::Ascending)]);
        assert_eq!(sort("sort_key=size").unwrap(), []);
        assert!(
            format!("{:?}", sort("sort_key=colour")).contains("sort_key: expected one of created_at, name")
        );
        assert!(format!("{:?}", sort("sort_dir=ASC")).contains("sort_dir: expected one of asc, desc"));
    }
}
