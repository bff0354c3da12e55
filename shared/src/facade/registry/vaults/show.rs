//! `GET /v1/vaults/{vault_id}`: show a vault with its reserved capacity.

use http::StatusCode;

use super::{VaultBody, path_vault};
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, json_response};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "GET /v1/vaults/{vault_id}";

/// `{"vault":{…}}` out.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    show(request).await.unwrap_or_else(ApiError::into_response)
}

async fn show(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let vault = usecases::show_vault(&request.app, request.caller(), path_vault(request)?).await?;
    Ok(json_response(StatusCode::OK, &VaultBody { vault: (&vault).into() }))
}
