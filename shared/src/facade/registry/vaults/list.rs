//! `GET /v1/vaults`: the vaults of the caller's project, in the order of their ids.

use http::StatusCode;
use serde::Serialize;

use super::Wire;
use crate::domain::VaultId;
use crate::facade::ims::query::Query;
use crate::facade::ims::{Error, no_body};
use crate::facade::marker::Listing;
use crate::facade::page::PageInfo;
use crate::facade::{Reply, json};
use crate::function::Call;
use crate::usecases::{self, VaultPage};

/// The operation's route.
pub const ROUTE: &str = "GET /v1/vaults";

/// `?limit=&marker=` in, `{"vaults":[…],"page_info":{"next_marker","current_count"}}` out; `next_marker` only
/// where there are more.
pub async fn answer(call: &Call) -> Reply {
    list(call).await.unwrap_or_else(Error::into_reply)
}

async fn list(call: &Call) -> Result<Reply, Error> {
    no_body(call)?;
    let query = Query::parse(call.raw_query())?;
    let listing = Listing::new(ROUTE, call.caller());
    let after: Option<VaultId> = query.after(&listing)?;
    let page = usecases::list_vaults(&call.service, call.caller(), after.as_ref(), query.limit()?).await?;
    Ok(json(StatusCode::OK, &PageWire::new(&page, &listing)))
}

#[derive(Serialize)]
struct PageWire<'a> {
    vaults: Vec<Wire<'a>>,
    page_info: PageInfo,
}

impl<'a> PageWire<'a> {
    fn new(page: &'a VaultPage, listing: &Listing) -> Self {
        Self {
            vaults: page.vaults.iter().map(Wire::from).collect(),
            page_info: PageInfo {
                next_marker: page.next.as_ref().map(|last| listing.write(last)),
                current_count: page.vaults.len(),
            },
        }
    }
}
