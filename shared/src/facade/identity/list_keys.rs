//! `GET /v1/access-keys`: list the access keys of the caller's project without their secrets, oldest first.

use http::StatusCode;
use serde::Serialize;

use super::access_key::AccessKeyJson;
use crate::domain::AccessKeyId;
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, Listing, PageInfo, Query, json_response};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "GET /v1/access-keys";

/// The default and maximum page size: as many access keys as one batch read takes.
const MAX_PAGE_SIZE: usize = 100;

/// `?limit=&marker=` in, `{"access_keys":[…],"page_info":{"next_marker","current_count"}}` out; `next_marker` only if
/// there are more.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    list(request).await.unwrap_or_else(ApiError::into_response)
}

async fn list(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let query = Query::parse(request.raw_query())?;
    let limit = match query.parse_value("limit", "a number from 1 to 100")? {
        None => MAX_PAGE_SIZE,
        Some(limit @ 1..=MAX_PAGE_SIZE) => limit,
        Some(_) => return Err(ApiError::malformed("limit: expected a number from 1 to 100.")),
    };
    let listing = Listing::new(ROUTE, request.caller());
    let after = query.text("marker").map(|text| parse_marker(&listing, text)).transpose()?;
    let page = usecases::list_access_keys(&request.app, request.caller(), after.as_ref(), limit).await?;
    let body = PageBody {
        access_keys: page.items.iter().map(|key| AccessKeyJson::new(key, None)).collect(),
        page_info: PageInfo::new(&page, &listing),
    };
    Ok(json_response(StatusCode::OK, &body))
}

fn parse_marker(listing: &Listing, text: &str) -> Result<AccessKeyId, ApiError> {
    let id = listing.decode_marker(text).and_then(|last| last.parse().ok());
    id.ok_or_else(|| ApiError::malformed("marker: expected next_marker of the page before."))
}

#[derive(Serialize)]
struct PageBody<'a> {
    access_keys: Vec<AccessKeyJson<'a>>,
    page_info: PageInfo,
}
