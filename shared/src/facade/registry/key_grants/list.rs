//! `GET /v1/keys/{key_id}/grants`: list the projects that may use a key, in the order of their ids.

use http::StatusCode;

use super::{GrantJson, path_key};
use crate::domain::TenantId;
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, Listing, PageBody, Query, json_response};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "GET /v1/keys/{key_id}/grants";

/// `?limit=&marker=` in, `{"grants":[…],"page_info":{"next_marker","current_count"}}` out; `next_marker` only if there
/// are more.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    list(request).await.unwrap_or_else(ApiError::into_response)
}

async fn list(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let key = path_key(request)?;
    let query = Query::parse(request.raw_query())?;
    let listing = Listing::new(ROUTE, request.caller()).with(key.as_str());
    let after: Option<TenantId> = query.parse_marker(&listing)?;
    let (app, caller, limit) = (&request.app, request.caller(), query.limit()?);
    let page = usecases::list_key_grants(app, caller, &key, after.as_ref(), limit).await?;
    let body = PageBody::new("grants", &page, &listing, |grant| GrantJson::new(&key, grant));
    Ok(json_response(StatusCode::OK, &body))
}
