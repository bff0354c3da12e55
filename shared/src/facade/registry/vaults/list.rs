//! `GET /v1/vaults`: list the vaults of the caller's project, in the order of their ids.

use http::StatusCode;
use serde::Serialize;

use super::VaultJson;
use crate::domain::VaultId;
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, Listing, PageInfo, Query, json_response};
use crate::store::VaultRecord;
use crate::usecases::{self, Page};

/// The operation's route.
pub const ROUTE: &str = "GET /v1/vaults";

/// `?limit=&marker=` in, `{"vaults":[…],"page_info":{"next_marker","current_count"}}` out; `next_marker` only if there
/// are more.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    list(request).await.unwrap_or_else(ApiError::into_response)
}

async fn list(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let query = Query::parse(request.raw_query())?;
    let listing = Listing::new(ROUTE, request.caller());
    let after: Option<VaultId> = query.parse_marker(&listing)?;
    let page = usecases::list_vaults(&request.app, request.caller(), after.as_ref(), query.limit()?).await?;
    Ok(json_response(StatusCode::OK, &PageBody::new(&page, &listing)))
}

#[derive(Serialize)]
struct PageBody<'a> {
    vaults: Vec<VaultJson<'a>>,
    page_info: PageInfo,
}

impl<'a> PageBody<'a> {
    fn new(page: &'a Page<VaultRecord, VaultId>, listing: &Listing) -> Self {
        Self {
            vaults: page.items.iter().map(VaultJson::from).collect(),
            page_info: PageInfo::new(page, listing),
        }
    }
}
