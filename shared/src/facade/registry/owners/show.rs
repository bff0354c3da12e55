//! `GET /v1/owners/{project_id}`: show the policy on an owner, 404 if there is none.

use http::StatusCode;

use super::{OwnerBody, path_owner};
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, json_response};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "GET /v1/owners/{project_id}";

/// `{"owner":{…}}` out.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    show(request).await.unwrap_or_else(ApiError::into_response)
}

async fn show(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let policy = usecases::show_owner_policy(&request.app, request.caller(), path_owner(request)?).await?;
    Ok(json_response(StatusCode::OK, &OwnerBody { owner: (&policy).into() }))
}
