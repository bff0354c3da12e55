//! `GET /v1/access-keys`: list the access keys of the caller's project without their secrets, oldest first.

use http::StatusCode;

use super::access_key::AccessKeyJson;
use crate::domain::AccessKeyId;
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, Listing, PageBody, Query, json_response};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "GET /v1/access-keys";

/// `?limit=&marker=` in, `{"access_keys":[…],"page_info":{"next_marker","current_count"}}` out; `next_marker` only if
/// there are more.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    list(request).await.unwrap_or_else(ApiError::into_response)
}

async fn list(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let query = Query::parse(request.raw_query())?;
    let limit = query.batch_limit()?;
    let listing = Listing::new(ROUTE, request.caller());
    let after: Option<AccessKeyId> = query.parse_marker(&listing)?;
    let page = usecases::list_access_keys(&request.app, request.caller(), after.as_ref(), limit).await?;
    let body = PageBody::new("access_keys", &page, &listing, |key| AccessKeyJson::new(key, None));
    Ok(json_response(StatusCode::OK, &body))
}
