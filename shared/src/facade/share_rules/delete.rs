//! `DELETE /v1/share-rules/{rule_name}`: delete a share rule. What it has shared stays shared.

use super::wire::path_rule;
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, no_content};
use crate::usecases::share_rules;

/// The operation's route.
pub const ROUTE: &str = "DELETE /v1/share-rules/{rule_name}";

/// No body in, 204 out. Deleting a rule that does not exist is no error, so that a retry is safe.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    delete(request).await.unwrap_or_else(ApiError::into_response)
}

async fn delete(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    share_rules::delete(&request.app, request.caller(), path_rule(request)?).await?;
    Ok(no_content())
}
