//! `PUT /v1/keys/{key_id}/grants/{project_id}`: grant a key to a project.

use http::StatusCode;

use super::{GrantBody, GrantJson, path_grantee, path_key};
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, json_response};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "PUT /v1/keys/{key_id}/grants/{project_id}";

/// No body in, `{"grant":{…}}` out; granting the key again changes nothing.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    put(request).await.unwrap_or_else(ApiError::into_response)
}

async fn put(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let (key, tenant) = (path_key(request)?, path_grantee(request)?);
    let grant = usecases::grant_key(&request.app, request.caller(), key.clone(), tenant).await?;
    Ok(json_response(StatusCode::OK, &GrantBody { grant: GrantJson::new(&key, &grant) }))
}
