//! `DELETE /v1/tenants/{project_id}`: takes a tenant out of the directory.

use super::path_tenant;
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, no_content};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "DELETE /v1/tenants/{project_id}";

/// Nothing in, nothing out; its images and memberships stay as they are.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    delete(request).await.unwrap_or_else(ApiError::into_response)
}

async fn delete(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    usecases::delete_tenant(&request.app, request.caller(), &path_tenant(request)?).await?;
    Ok(no_content())
}
