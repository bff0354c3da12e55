//! `GET /v1/share-rules/{rule_name}`: show a share rule, with what it could not do.

use http::StatusCode;

use super::wire::{ShareRuleBody, path_rule};
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, json_response};
use crate::usecases::share_rules;

/// The operation's route.
pub const ROUTE: &str = "GET /v1/share-rules/{rule_name}";

/// `{"share_rule":{…}}` out.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    show(request).await.unwrap_or_else(ApiError::into_response)
}

async fn show(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let rule = share_rules::show(&request.app, request.caller(), &path_rule(request)?).await?;
    Ok(json_response(StatusCode::OK, &ShareRuleBody::new(&rule)))
}
