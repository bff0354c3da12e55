//! Errors that only this facade has. [`ApiError`] has those that it shares with others.

use http::StatusCode;
use http::header::HeaderValue;

use crate::domain::MAX_NAMES_PER_BATCH;
use crate::http::{ApiError, HttpResponse, error_response};

/// The response to a request without an operation. `allowed` names the methods of its path: 405 if there are any, 404
/// if not.
pub fn route_not_found(allowed: &str) -> HttpResponse {
    if allowed.is_empty() {
        return error_response(
            StatusCode::NOT_FOUND,
            "IMG.0086",
            "There is no such path. GET /docs lists the paths, and GET /openapi.yaml describes them for programs.",
        );
    }
    let message = format!("This path does not have this method. Use {allowed}.");
    let mut response = error_response(StatusCode::METHOD_NOT_ALLOWED, "IMG.0105", &message);
    response
        .headers_mut()
        .extend(HeaderValue::from_str(allowed).ok().map(|value| (http::header::ALLOW, value)));
    response
}

/// The error for an array that is too long.
pub(super) fn too_many_items(field: &str, count: usize) -> ApiError {
    ApiError::malformed(format!(
        "{field}: expected at most {MAX_NAMES_PER_BATCH}, got {count}. Send several requests."
    ))
}
