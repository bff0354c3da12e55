//! `DELETE /v1/tenants/{project_id}`: remove a tenant from the directory.

use super::path_tenant;
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, no_content};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "DELETE /v1/tenants/{project_id}";

/// No body in, 204 out. The tenant's images and memberships stay.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    delete(request).await.unwrap_or_else(ApiError::into_response)
}

async fn delete(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    usecases::delete_tenant(&request.app, request.caller(), &path_tenant(request)?).await?;
    Ok(no_content())
}
