//! `PUT /v1/share-rules/{rule_name}`: create a share rule or replace it.

use http::StatusCode;

use super::body::parse;
use super::wire::{ShareRuleBody, path_rule};
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, json_response};
use crate::usecases::share_rules;

/// The operation's route.
pub const ROUTE: &str = "PUT /v1/share-rules/{rule_name}";

/// `{"pattern":{…},"recipients":{"projects":[…],"accounts":[…],"organizations":[…]},"enabled":true,
/// "withdraw_unmatched":false}` in, `{"share_rule":{…}}` out. A rule is by default enabled, and withdraws nothing.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    put(request).await.unwrap_or_else(ApiError::into_response)
}

async fn put(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    let (name, details) = (path_rule(request)?, parse(request.body())?);
    let rule = share_rules::put(&request.app, request.caller(), name, &details).await?;
    Ok(json_response(StatusCode::OK, &ShareRuleBody::new(&rule)))
}
