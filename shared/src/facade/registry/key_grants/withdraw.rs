//! `DELETE /v1/keys/{key_id}/grants/{project_id}`: withdraw a grant. It ends new shares of images under the key;
//! memberships stay.

use super::dependents::dependents_listing;
use super::{dependents_response, path_grantee, path_key};
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, MAX_BATCH_PAGE_SIZE};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "DELETE /v1/keys/{key_id}/grants/{project_id}";

/// No body in; the first page of the memberships that rely on the grant out, as [`super::dependents`] lists them.
/// Withdrawing a grant that does not exist is no error, so that a retry is safe.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    withdraw(request).await.unwrap_or_else(ApiError::into_response)
}

async fn withdraw(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let (key, tenant) = (path_key(request)?, path_grantee(request)?);
    let (app, caller) = (&request.app, request.caller());
    let listing = dependents_listing(caller, &key, &tenant);
    let page = usecases::revoke_key_grant(app, caller, key, tenant.clone(), MAX_BATCH_PAGE_SIZE).await?;
    Ok(dependents_response(&tenant, &page, &listing))
}
