//! `GET /v3`: announces version 3 of the identity API. Needs no authentication.

use http::StatusCode;
use lambda_http::Request;
use serde_json::json;

use crate::Settings;
use crate::http::{ApiError, HttpResponse, UnexpectedBody, base_url, json_response};

/// The operation's routes.
pub const ROUTES: [&str; 2] = ["GET /v3", "GET /v3/"];

/// No body in, `{"version":{"id","status","updated","links","media-types"}}` out.
pub fn handle(settings: &Settings, request: &Request) -> HttpResponse {
    if !request.body().is_empty() {
        return ApiError::from(UnexpectedBody).into_response();
    }
    let version = json!({
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{ "rel": "self", "href": format!("{}/v3/", base_url(settings, request)) }],
        "media-types":
            [{ "base": "application/json", "type": "application/vnd.openstack.identity-v3+json" }],
    });
    json_response(StatusCode::OK, &json!({ "version": version }))
}
