//! The function `documents`: serves the API's OpenAPI document, for programs and as a page. No credential is needed.
//!
//! The build script (`build/`) generates all forms from `infra/openapi.yaml`, without the extensions that only the
//! deployment reads. A request reads no file and parses nothing.

use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{Response, StatusCode};
use imageshare::facade::{self, ims};
use imageshare::function::HttpFunction;
use imageshare::http::{HttpResponse, error_response, route_key};
use lambda_http::{Body, Request};

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
        _ => {
            return match function.authenticate(request).await {
                Ok(request) => request.finish(ims::route_not_found("")),
                Err(rejected) => facade::reject(*rejected),
            };
        }
    };
    function.handle_public(request, |_, request| {
        if request.body().is_empty() {
            document_response(kind, text)
        } else {
            let message = "A body is not expected with this request.";
            error_response(StatusCode::BAD_REQUEST, "IMG.0001", message)
        }
    })
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
