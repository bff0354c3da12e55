//! `GET /v1/tenants/{project_id}`: show a tenant's entry in the directory, to admins and to the tenant itself.

use http::StatusCode;

use super::{TenantBody, path_tenant};
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, json_response};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "GET /v1/tenants/{project_id}";

/// `{"tenant":{…}}` out.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    show(request).await.unwrap_or_else(ApiError::into_response)
}

async fn show(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let entry = usecases::show_tenant(&request.app, request.caller(), &path_tenant(request)?).await?;
    Ok(json_response(StatusCode::OK, &TenantBody { tenant: (&entry).into() }))
}
