//! `DELETE /v1/vaults/{vault_id}`: remove a vault that has no reserved capacity.

use super::path_vault;
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, no_content};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "DELETE /v1/vaults/{vault_id}";

/// No body in, 204 out. Removing a vault that does not exist is no error, so that a retry is safe.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    delete(request).await.unwrap_or_else(ApiError::into_response)
}

async fn delete(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    usecases::delete_vault(&request.app, request.caller(), path_vault(request)?).await?;
    Ok(no_content())
}
