//! `DELETE /v1/access-keys/{key_id}`: disable an access key of the caller's project, permanently.

use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, no_content};
use crate::usecases::{self, AccessKeyError};

/// The operation's route.
pub const ROUTE: &str = "DELETE /v1/access-keys/{key_id}";

/// No body in, 204 out, also for a key that is already disabled.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    disable(request).await.unwrap_or_else(ApiError::into_response)
}

async fn disable(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    // A malformed id is not found, like an unknown one.
    let id = request.path_parameter("key_id").parse().map_err(|_| AccessKeyError::NotFound)?;
    usecases::disable_access_key(&request.app, &request.keyring, request.caller(), &id).await?;
    Ok(no_content())
}
