//! `POST /v1/share-rules/{rule_name}/disable`: have a share rule act no more by itself.

use http::StatusCode;

use super::wire::{ShareRuleBody, path_rule};
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, json_response};
use crate::usecases::share_rules;

/// The operation's route.
pub const ROUTE: &str = "POST /v1/share-rules/{rule_name}/disable";

/// No body in, `{"share_rule":{…}}` out. A rule that is disabled already stays as it is.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    disable(request).await.unwrap_or_else(ApiError::into_response)
}

async fn disable(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let rule = share_rules::set_enabled(&request.app, request.caller(), path_rule(request)?, false).await?;
    Ok(json_response(StatusCode::OK, &ShareRuleBody::new(&rule)))
}
