//! `DELETE /v1/keys/{key_id}/grants/{project_id}`: from now on nothing under the key is shared with the project anew.

use http::StatusCode;

use super::dependents::{MAX_PAGE_SIZE, dependents_listing};
use super::{DependentsBody, path_grantee, path_key};
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, json_response};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "DELETE /v1/keys/{key_id}/grants/{project_id}";

/// Nothing in, the memberships that rely on the grant out, as [`super::dependents`] lists them: they stay. That there was no
/// such grant is no error, so that who had no answer asks again.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    withdraw(request).await.unwrap_or_else(ApiError::into_response)
}

async fn withdraw(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let (key, tenant) = (path_key(request)?, path_grantee(request)?);
    let (service, caller) = (&request.app, request.caller());
    let listing = dependents_listing(caller, &key, &tenant);
    let left = usecases::revoke_key_grant(service, caller, key, tenant.clone(), MAX_PAGE_SIZE).await?;
    Ok(json_response(StatusCode::OK, &DependentsBody::new(&tenant, &left, &listing)))
}
