//! `GET /v1/access-keys`: the access keys of the caller's project, without their secrets, the oldest first.

use http::StatusCode;
use serde::Serialize;

use super::Error;
use super::access_key::AccessKeyWire;
use super::error::no_body;
use crate::domain::AccessKeyId;
use crate::facade::ims::query::Query;
use crate::facade::marker::Listing;
use crate::facade::page::PageInfo;
use crate::facade::{Reply, json};
use crate::function::Call;
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "GET /v1/access-keys";

/// How many access keys a page has unless told otherwise, and at most: as many as one batch read takes.
const MOST: usize = 100;

/// `?limit=&marker=` in, `{"access_keys":[…],"page_info":{"next_marker","current_count"}}` out; `next_marker` only where
/// there are more.
pub async fn answer(call: &Call) -> Reply {
    list(call).await.unwrap_or_else(Error::into_reply)
}

async fn list(call: &Call) -> Result<Reply, Error> {
    no_body(call)?;
    let query = Query::parse(call.raw_query())?;
    let most = match query.parsed("limit", "a number from 1 to 100")? {
        None => MOST,
        Some(limit @ 1..=MOST) => limit,
        Some(_) => return Err(Error::bad_request("limit: expected a number from 1 to 100.")),
    };
    let listing = Listing::new(ROUTE, call.caller());
    let after = query.text("marker").map(|text| read_marker(&listing, text)).transpose()?;
    let page = usecases::list_access_keys(&call.service, call.caller(), after.as_ref(), most).await?;
    let wire = PageWire {
        access_keys: page.keys.iter().map(|key| AccessKeyWire::new(key, None)).collect(),
        page_info: PageInfo {
            next_marker: page.next.map(|last| listing.write(last)),
            current_count: page.keys.len(),
        },
    };
    Ok(json(StatusCode::OK, &wire))
}

fn read_marker(listing: &Listing, text: &str) -> Result<AccessKeyId, Error> {
    let read = listing.read(text).and_then(|last| last.parse().ok());
    read.ok_or_else(|| Error::bad_request("marker: expected next_marker of the page before."))
}

#[derive(Serialize)]
struct PageWire<'a> {
    access_keys: Vec<AccessKeyWire<'a>>,
    page_info: PageInfo,
}
