//! `GET /v1/owners`: list the owners that the caller's project trusts or blocks, in the order of their ids.

use http::StatusCode;

use super::OwnerJson;
use crate::domain::{PolicyKind, TenantId};
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, Listing, PageBody, Query, json_response};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "GET /v1/owners";

/// `?policy=&limit=&marker=` in, `{"owners":[…],"page_info":{"next_marker","current_count"}}` out; `next_marker` only
/// if there are more.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    list(request).await.unwrap_or_else(ApiError::into_response)
}

async fn list(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let query = Query::parse(request.raw_query())?;
    let kind: Option<PolicyKind> = query.parse_value("policy", PolicyKind::EXPECTED)?;
    let listing = Listing::new(ROUTE, request.caller());
    let listing = kind.iter().fold(listing, |listing, kind| listing.with(kind.as_str()));
    let after: Option<TenantId> = query.parse_marker(&listing)?;
    let (app, caller, limit) = (&request.app, request.caller(), query.limit()?);
    let page = usecases::list_owner_policies(app, caller, kind, after.as_ref(), limit).await?;
    let body = PageBody::new("owners", &page, &listing, OwnerJson::from);
    Ok(json_response(StatusCode::OK, &body))
}
