//! `GET /v1/keys/{key_id}/grants`: which projects may use a key, in the order of their ids.

use http::StatusCode;
use serde::Serialize;

use super::{Wire, key_of_path};
use crate::domain::TenantId;
use crate::facade::ims::query::Query;
use crate::facade::ims::{Error, no_body};
use crate::facade::marker::Listing;
use crate::facade::page::PageInfo;
use crate::facade::{Reply, json};
use crate::function::Call;
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "GET /v1/keys/{key_id}/grants";

/// `?limit=&marker=` in, `{"grants":[…],"page_info":{"next_marker","current_count"}}` out; `next_marker` only
/// where there are more.
pub async fn answer(call: &Call) -> Reply {
    list(call).await.unwrap_or_else(Error::into_reply)
}

async fn list(call: &Call) -> Result<Reply, Error> {
    no_body(call)?;
    let key = key_of_path(call)?;
    let query = Query::parse(call.raw_query())?;
    let listing = Listing::new(ROUTE, call.caller()).with(key.as_str());
    let after: Option<TenantId> = query.after(&listing)?;
    let (service, caller, most) = (&call.service, call.caller(), query.limit()?);
    let page = usecases::list_key_grants(service, caller, &key, after.as_ref(), most).await?;
    let wire = PageWire {
        page_info: PageInfo {
            next_marker: page.next.as_ref().map(|last| listing.write(last)),
            current_count: page.grants.len(),
        },
        grants: page.grants.iter().map(|grant| Wire::new(&key, grant)).collect(),
    };
    Ok(json(StatusCode::OK, &wire))
}

#[derive(Serialize)]
struct PageWire<'a> {
    grants: Vec<Wire<'a>>,
    page_info: PageInfo,
}
