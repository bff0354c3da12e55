//! `DELETE /v1/vaults/{vault_id}`: forgets a vault of which nothing is reserved.

use super::path_vault;
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, no_content};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "DELETE /v1/vaults/{vault_id}";

/// Nothing in, nothing out. That there is no such vault is no error, so that who had no answer asks again.
pub async fn handle(call: &AuthenticatedRequest) -> HttpResponse {
    delete(call).await.unwrap_or_else(ApiError::into_response)
}

async fn delete(call: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    call.ensure_no_body()?;
    usecases::delete_vault(&call.app, call.caller(), path_vault(call)?).await?;
    Ok(no_content())
}
