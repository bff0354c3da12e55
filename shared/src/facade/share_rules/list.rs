//! `GET /v1/share-rules`: list the share rules of the caller's project, in the order of their names.

use http::StatusCode;

use super::wire::ShareRuleJson;
use crate::domain::ShareRuleName;
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, Listing, PageBody, Query, json_response};
use crate::usecases::share_rules;

/// The operation's route.
pub const ROUTE: &str = "GET /v1/share-rules";

/// `?limit=&marker=` in, `{"share_rules":[…],"page_info":{"next_marker","current_count"}}` out; `next_marker` only if
/// there are more.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    list(request).await.unwrap_or_else(ApiError::into_response)
}

async fn list(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let query = Query::parse(request.raw_query())?;
    let listing = Listing::new(ROUTE, request.caller());
    let after: Option<ShareRuleName> = query.parse_marker(&listing)?;
    let page =
        share_rules::list(&request.app, request.caller(), after.as_ref(), query.batch_limit()?).await?;
    let body = PageBody::new("share_rules", &page, &listing, ShareRuleJson::from);
    Ok(json_response(StatusCode::OK, &body))
}
