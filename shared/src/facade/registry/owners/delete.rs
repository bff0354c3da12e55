//! `DELETE /v1/owners/{project_id}`: neither trust nor block an owner any more. Images that it has shared stay as they
//! are.

use super::path_owner;
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, no_content};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "DELETE /v1/owners/{project_id}";

/// No body in, 204 out. Removing a policy that does not exist is no error, so that a retry is safe.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    delete(request).await.unwrap_or_else(ApiError::into_response)
}

async fn delete(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    usecases::delete_owner_policy(&request.app, request.caller(), path_owner(request)?).await?;
    Ok(no_content())
}
