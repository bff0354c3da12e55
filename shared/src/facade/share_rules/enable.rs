//! `POST /v1/share-rules/{rule_name}/enable`: have a share rule act on what happens from now on.

use http::StatusCode;

use super::wire::{ShareRuleBody, path_rule};
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, json_response};
use crate::usecases::share_rules;

/// The operation's route.
pub const ROUTE: &str = "POST /v1/share-rules/{rule_name}/enable";

/// No body in, `{"share_rule":{…}}` out. A rule that is enabled already stays as it is.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    enable(request).await.unwrap_or_else(ApiError::into_response)
}

async fn enable(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let rule = share_rules::set_enabled(&request.app, request.caller(), path_rule(request)?, true).await?;
    Ok(json_response(StatusCode::OK, &ShareRuleBody::new(&rule)))
}
