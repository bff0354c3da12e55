//! Errors that only IMS has, beside those that it shares with the other dialects ([`ApiError`]).

use http::StatusCode;
use http::header::HeaderValue;

use crate::domain::MAX_NAMES_PER_BATCH;
use crate::http::{ApiError, HttpResponse, error_response};

/// The answer to a request for which there is no operation. `allowed` are the methods of its path, where it has any.
pub fn route_not_found(allowed: &str) -> HttpResponse {
    if allowed.is_empty() {
        return error_response(
            StatusCode::NOT_FOUND,
            "IMG.0086",
            "There is no such path. GET /docs shows the paths that there are, and GET /openapi.yaml has them for programs.",
        );
    }
    let message = format!("This method is not possible here. Use {allowed}.");
    let mut response = error_response(StatusCode::METHOD_NOT_ALLOWED, "IMG.0105", &message);
    response
        .headers_mut()
        .extend(HeaderValue::from_str(allowed).ok().map(|value| (http::header::ALLOW, value)));
    response
}

/// Says which array is too long.
pub(super) fn too_many_items(field: &str, given: usize) -> ApiError {
    ApiError::malformed(format!(
        "{field}: expected at most {MAX_NAMES_PER_BATCH}, got {given}. Send several requests."
    ))
}
