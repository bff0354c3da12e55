//! `DELETE /v1/access-keys/{key_id}`: disable an access key of the caller's project, permanently.

use super::access_key::path_key;
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, no_content};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "DELETE /v1/access-keys/{key_id}";

/// No body in, 204 out, also for a key that is already disabled.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    disable(request).await.unwrap_or_else(ApiError::into_response)
}

async fn disable(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let id = path_key(request)?;
    usecases::disable_access_key(&request.app, &request.keyring, request.caller(), &id).await?;
    Ok(no_content())
}
