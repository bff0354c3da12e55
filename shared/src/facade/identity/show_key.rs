//! `GET /v1/access-keys/{key_id}`: an access key of the caller's project, without its secret.

use http::StatusCode;

use super::access_key::{AccessKeyJson, path_key};
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, json_response};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "GET /v1/access-keys/{key_id}";

/// No body in, the access key out, also one that is disabled or has expired.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    show(request).await.unwrap_or_else(ApiError::into_response)
}

async fn show(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let key = usecases::show_access_key(&request.app, request.caller(), &path_key(request)?).await?;
    Ok(json_response(StatusCode::OK, &AccessKeyJson::new(&key, None)))
}
