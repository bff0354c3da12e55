//! `GET /v1/vaults`: list the vaults of the caller's project, in the order of their ids.

use http::StatusCode;

use super::VaultJson;
use crate::domain::VaultId;
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, Listing, PageBody, Query, json_response};
use crate::usecases;

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
    let body = PageBody::new("vaults", &page, &listing, VaultJson::from);
    Ok(json_response(StatusCode::OK, &body))
}
