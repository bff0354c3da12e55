//! `GET /v1/tenants/{project_id}`: what the directory says of a tenant, for admins.

use http::StatusCode;

use super::{TenantBody, path_tenant};
use crate::facade::ims::{Error, ensure_no_body};
use crate::http::{AuthenticatedRequest, HttpResponse, json_response};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "GET /v1/tenants/{project_id}";

/// `{"tenant":{…}}` out.
pub async fn handle(call: &AuthenticatedRequest) -> HttpResponse {
    show(call).await.unwrap_or_else(Error::into_response)
}

async fn show(call: &AuthenticatedRequest) -> Result<HttpResponse, Error> {
    ensure_no_body(call)?;
    let entry = usecases::show_tenant(&call.app, call.caller(), &path_tenant(call)?).await?;
    Ok(json_response(StatusCode::OK, &TenantBody { tenant: (&entry).into() }))
}
