//! `GET /v3/auth/catalog`: where the services are. Here all are one, at its root: clients add the version themselves.

use http::StatusCode;
use serde_json::{Value, json};

use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, json_response as reply_json};

/// The operation's route.
pub const ROUTE: &str = "GET /v3/auth/catalog";

/// The services by their types, their names, and what comes after the address.
const SERVICES: [(&str, &str, &str); 3] =
    [("image", "glance", ""), ("ims", "ims", ""), ("identity", "keystone", "/v3")];

/// Nothing in, `{"catalog":[…],"links":{"self"}}` out.
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
    Ok(reply_json(StatusCode::OK, &body))
}

/// The services of a deployment.
pub(super) fn catalog_json(address: &str, region: &str) -> Value {
    let service = |(of, name, path): (&str, &str, &str)| {
        let endpoint = |interface: &str| {
            json!({
                "id": format!("{of}-{interface}"),
                "interface": interface,
                "region": region,
                "region_id": region,
                "url": format!("{address}{path}"),
            })
        };
        let endpoints = ["public", "internal", "admin"].map(endpoint);
        json!({ "id": of, "type": of, "name": name, "endpoints": endpoints })
    };
    SERVICES.map(service).into()
}
