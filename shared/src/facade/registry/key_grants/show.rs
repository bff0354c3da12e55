//! `GET /v1/keys/{key_id}/grants/{project_id}`: show the grant of a key to a project, 404 if it does not exist.

use http::StatusCode;

use super::{GrantBody, GrantJson, path_grantee, path_key};
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, json_response};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "GET /v1/keys/{key_id}/grants/{project_id}";

/// `{"grant":{…}}` out.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    show(request).await.unwrap_or_else(ApiError::into_response)
}

async fn show(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let (key, tenant) = (path_key(request)?, path_grantee(request)?);
    let grant = usecases::show_key_grant(&request.app, request.caller(), key.clone(), tenant).await?;
    Ok(json_response(StatusCode::OK, &GrantBody { grant: GrantJson::new(&key, &grant) }))
}
