//! The function `documents`: what the service says of itself to anybody, the document of the API, for programs and for people,
//! and whether it is healthy.
//!
//! The document is made from `infra/openapi.yaml` when this crate is built (`build/`), so that a request reads no file and parses
//! nothing. What only says how the service is deployed is left out.

use std::time::Duration;

use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{Response, StatusCode};
use imageshare::facade::{self, ims};
use imageshare::function::HttpFunction;
use imageshare::http::health::{self, healthy_response, unhealthy_response};
use imageshare::http::{HttpResponse, error_response, route_key};
use lambda_http::{Body, Request};

/// How long the table may take to answer while the service is called healthy.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(3);

/// The document in YAML.
pub const OPENAPI_YAML: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.yaml"));

/// The document in JSON.
pub const OPENAPI_JSON: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));

/// The document as a page to read.
pub const DOCS_HTML: &str = include_str!(concat!(env!("OUT_DIR"), "/docs.html"));

/// Answers one request.
pub async fn handle(function: &HttpFunction, request: Request) -> HttpResponse {
    let (kind, text) = match route_key(&request).as_str() {
        "GET /openapi.yaml" => ("application/yaml", OPENAPI_YAML),
        "GET /openapi.json" => ("application/json", OPENAPI_JSON),
        "GET /docs" => ("text/html; charset=utf-8", DOCS_HTML),
        route if health::ROUTES.contains(&route) => return show_health(function, request).await,
        _ => {
            return match function.authenticate(request).await {
                Ok(call) => call.finish(ims::route_not_found("")),
                Err(rejected) => facade::reject(*rejected),
            };
        }
    };
    function.handle_public(request, |_, request| {
        if request.body().is_empty() { document_response(kind, text) } else { unexpected_body() }
    })
}

/// Asks the table for an item that is not there, half a read unit. On AWS a table that answers is all that a function needs to
/// be healthy, and to be ready: it keeps no state.
async fn show_health(function: &HttpFunction, request: Request) -> HttpResponse {
    let request = match function.receive(request) {
        Ok(request) => request,
        Err(rejected) => return facade::reject(*rejected),
    };
    if !request.body().is_empty() {
        return request.finish(unexpected_body());
    }
    let response = match request.app.store.with_timeout(HEALTH_TIMEOUT).probe().await {
        Ok(()) => healthy_response(),
        Err(problem) => {
            tracing::error!(%problem, "the table failed");
            unhealthy_response(if problem.is_transient() {
                "The table does not answer."
            } else {
                "The table refuses the function. Look at the function's log."
            })
        }
    };
    request.finish(response)
}

fn unexpected_body() -> HttpResponse {
    let message = "A body is not expected with this request.";
    error_response(StatusCode::BAD_REQUEST, "IMG.0001", message)
}

fn document_response(kind: &'static str, text: &str) -> HttpResponse {
    let mut response = Response::new(Body::Text(text.to_owned()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}
