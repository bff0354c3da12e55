//! The function `documents`: serves the API's OpenAPI document, for programs and as a page, and the service's health. No
//! credential is needed.
//!
//! The build script (`build/`) generates all forms of the document from `infra/openapi.yaml`, without the extensions that only
//! the deployment reads. A request for it reads no file and parses nothing.

use std::time::Duration;

use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{Response, StatusCode};
use imageshare::facade::{self, ims};
use imageshare::function::HttpFunction;
use imageshare::http::health::{self, healthy_response, unhealthy_response};
use imageshare::http::{HttpResponse, RejectionReason, error_response, route_key};
use lambda_http::{Body, Request};

/// The maximum time that the table of a healthy service takes to respond.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(3);

/// The OpenAPI document in YAML.
const OPENAPI_YAML: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.yaml"));

/// The OpenAPI document in JSON.
const OPENAPI_JSON: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));

/// The OpenAPI document as an HTML page.
const DOCS_HTML: &str = include_str!(concat!(env!("OUT_DIR"), "/docs.html"));

/// Handles one request.
pub async fn handle(function: &HttpFunction, request: Request) -> HttpResponse {
    let (kind, text) = match route_key(&request).as_str() {
        "GET /openapi.yaml" => ("application/yaml", OPENAPI_YAML),
        "GET /openapi.json" => ("application/json", OPENAPI_JSON),
        "GET /docs" => ("text/html; charset=utf-8", DOCS_HTML),
        route if health::ROUTES.contains(&route) => return show_health(function, request).await,
        _ => return function.handle(request, facade::reject, async |_| ims::route_not_found("")).await,
    };
    function.handle_public(request, |_, request| {
        if request.body().is_empty() { document_response(kind, text) } else { unexpected_body() }
    })
}

/// Reads an item that does not exist from the table. Returns 200 if the table responds, otherwise 503 with the reason. Costs
/// half a read unit. If the function is not ready, the reason names the settings and secrets that it lacks. Health and
/// readiness are the same here: a function has no state besides the table.
async fn show_health(function: &HttpFunction, request: Request) -> HttpResponse {
    let request = match function.receive(request) {
        Ok(request) => request,
        Err(rejected) => {
            let RejectionReason::Unready(unready) = rejected.reason() else {
                return facade::reject(*rejected);
            };
            let response = unhealthy_response(&format!("The function is not ready: {}.", unready.0));
            return rejected.finish(response);
        }
    };
    if !request.body().is_empty() {
        return request.finish(unexpected_body());
    }
    let response = match request.app.store.with_timeout(HEALTH_TIMEOUT).probe().await {
        Ok(()) => healthy_response(),
        Err(problem) => {
            tracing::error!(%problem, "the table failed");
            unhealthy_response(if problem.is_transient() {
                "The table does not respond."
            } else {
                "IMAGESHARE_TABLE: the table does not exist, or the function may not use it. See the function's log."
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
