//! Errors that only this facade has. [`ApiError`](crate::http::ApiError) has those that it shares with others.

use http::StatusCode;
use http::header::HeaderValue;

use crate::http::{HttpResponse, error_response};

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
