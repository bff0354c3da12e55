//! `DELETE /v1/vaults/{vault_id}`: forgets a vault of which nothing is reserved.

use super::path_vault;
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, no_content};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "DELETE /v1/vaults/{vault_id}";

/// Nothing in, nothing out. That there is no such vault is no error, so that who had no answer asks again.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    delete(request).await.unwrap_or_else(ApiError::into_response)
}

async fn delete(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    usecases::delete_vault(&request.app, request.caller(), path_vault(request)?).await?;
    Ok(no_content())
}
