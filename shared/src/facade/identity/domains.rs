//! `GET /v3/domains` and `GET /v3/domains/{domain_id}`: always 403, so that no caller learns which accounts exist.
//!
//! The `openstack` command looks up the domain that `--project-domain` names. After 403 it takes the name as the
//! domain's id, and looks for the project in that domain ([`super::projects`]), where an account's name is its id.

use http::StatusCode;

use crate::http::{ApiError, AuthenticatedRequest, HttpResponse};

/// The operations' routes.
pub const ROUTES: [&str; 2] = ["GET /v3/domains", "GET /v3/domains/{domain_id}"];

/// Returns 403 whatever the domain, or the error of an unexpected body.
pub fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    let forbidden = ApiError::new(
        StatusCode::FORBIDDEN,
        "IMG.0026",
        "You are not authorized to list or show domains. Use an account's name as its domain's id.",
    );
    request.ensure_no_body().err().map_or(forbidden, ApiError::from).into_response()
}
