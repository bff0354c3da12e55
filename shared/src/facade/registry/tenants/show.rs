//! `GET /v1/tenants/{project_id}`: what the directory says of a tenant, for admins.

use http::StatusCode;

use super::{TenantBody, path_tenant};
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, json_response};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "GET /v1/tenants/{project_id}";

/// `{"tenant":{…}}` out.
pub async fn handle(call: &AuthenticatedRequest) -> HttpResponse {
    show(call).await.unwrap_or_else(ApiError::into_response)
}

async fn show(call: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    call.ensure_no_body()?;
    let entry = usecases::show_tenant(&call.app, call.caller(), &path_tenant(call)?).await?;
    Ok(json_response(StatusCode::OK, &TenantBody { tenant: (&entry).into() }))
}
