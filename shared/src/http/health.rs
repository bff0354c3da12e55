//! `GET /health` and `GET /ready`: whether the service responds and stores. No credential is needed.

use http::StatusCode;
use http::header::RETRY_AFTER;
use serde_json::json;

use super::{HttpResponse, error_response, json_response};

/// The operations' routes.
pub const ROUTES: [&str; 2] = ["GET /health", "GET /ready"];

/// A 200 with `{"status":"ok"}`.
pub fn healthy_response() -> HttpResponse {
    json_response(StatusCode::OK, &json!({ "status": "ok" }))
}

/// A 503 with the reason, and without `Retry-After`: it is unknown when the service recovers.
pub fn unhealthy_response(reason: &str) -> HttpResponse {
    let mut response = error_response(StatusCode::SERVICE_UNAVAILABLE, "IMG.0061", reason);
    response.headers_mut().remove(RETRY_AFTER);
    response
}
