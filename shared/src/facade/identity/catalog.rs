//! `GET /v3/auth/catalog`: the service catalog. All services have the same base URL; clients of images and IMS append
//! the version themselves.

use http::StatusCode;
use serde_json::{Value, json};

use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, json_response};

/// The operation's route.
pub const ROUTE: &str = "GET /v3/auth/catalog";

/// Type, name and path of each service.
const SERVICES: [(&str, &str, &str); 3] =
    [("image", "glance", ""), ("ims", "ims", ""), ("identity", "keystone", "/v3")];

/// No body in, `{"catalog":[…],"links":{"self"}}` out.
pub fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    show(request).unwrap_or_else(ApiError::into_response)
}

fn show(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let address = request.base_url();
    let body = json!({
        "catalog": catalog_json(&address, &request.app.settings.region),
        "links": { "self": format!("{address}/v3/auth/catalog"), "previous": null, "next": null },
    });
    Ok(json_response(StatusCode::OK, &body))
}

/// The service catalog as JSON.
pub(super) fn catalog_json(address: &str, region: &str) -> Value {
    let service = |(kind, name, path): (&str, &str, &str)| {
        let endpoint = |interface: &str| {
            json!({
                "id": format!("{kind}-{interface}"),
                "interface": interface,
                "region": region,
                "region_id": region,
                "url": format!("{address}{path}"),
            })
        };
        let endpoints = ["public", "internal", "admin"].map(endpoint);
        json!({ "id": kind, "type": kind, "name": name, "endpoints": endpoints })
    };
    SERVICES.map(service).into()
}
