//! `GET /v3/domains` and `GET /v3/domains/{domain_id}`: nobody is told which accounts there are.
//!
//! The `openstack` command asks for the domain that `--project-domain` names. After 403 it goes on with the name that it was
//! given, and asks for the project in the domain of that id ([`super::projects`]): there the account's name is its id.

use http::StatusCode;

use crate::http::{ApiError, AuthenticatedRequest, HttpResponse};

/// The operations' routes.
pub const ROUTES: [&str; 2] = ["GET /v3/domains", "GET /v3/domains/{domain_id}"];

/// A refusal, whatever is asked.
pub fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    let forbidden = ApiError::new(
        StatusCode::FORBIDDEN,
        "IMG.0026",
        "You are not authorized to see domains, or whether there are any. An account's name is its domain's id.",
    );
    request.ensure_no_body().err().map_or(forbidden, ApiError::from).into_response()
}
