//! The function `documents`: the document of the API, for programs and for people. Nobody has to say who it is.
//!
//! All of it is made from `infra/openapi.yaml` when this crate is built (`build/`), so that a request reads no file and parses
//! nothing. What only says how the service is deployed is left out.

use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{Response, StatusCode};
use imageshare::facade::{self, Reply, ims};
use imageshare::function::{Function, route_of};
use lambda_http::{Body, Request};

/// The document in YAML.
pub const YAML: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.yaml"));

/// The document in JSON.
pub const JSON: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));

/// The document as a page to read.
pub const PAGE: &str = include_str!(concat!(env!("OUT_DIR"), "/docs.html"));

/// Answers one request.
pub async fn handle(function: &Function, request: Request) -> Reply {
    let (kind, text) = match route_of(&request).as_str() {
        "GET /openapi.yaml" => ("application/yaml", YAML),
        "GET /openapi.json" => ("application/json", JSON),
        "GET /docs" => ("text/html; charset=utf-8", PAGE),
        _ => {
            return match function.admit(request).await {
                Ok(call) => call.finish(ims::unrouted("")),
                Err(refused) => refused,
            };
        }
    };
    function.answer_anybody(request, |_, request| {
        if request.body().is_empty() {
            document(kind, text)
        } else {
            let message = "A body is not expected with this request.";
            facade::error(StatusCode::BAD_REQUEST, "IMG.0001", message)
        }
    })
}

fn document(kind: &'static str, text: &str) -> Reply {
    let mut reply = Response::new(Body::Text(text.to_owned()));
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    reply
}
