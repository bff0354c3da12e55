//! Whole requests to the functions of one API dialect, as the gateway passes them on: routing, path, query, headers,
//! body, and everything up to the table. The input is a request ([`super::request_text`]). Unless it is signed, its
//! caller is `own1`, a member, or the one of its `X-Auth-Token`, in the form `PROJECT/ROLE`. The table holds a few
//! images and never changes.
//!
//! Every response has to conform to `infra/openapi.yaml`, in status and body, and none may be a 5xx. A refused
//! request has written nothing.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::LazyLock;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use serde_json::Value;

use super::fixture::FIXTURE;
use super::request_text;
use crate::api_document::ApiDocument;
use crate::deployment::Deployment;

static DOCUMENT: LazyLock<ApiDocument> = LazyLock::new(ApiDocument::load);

/// The default caller.
pub(super) const CLIENT_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

/// Sends a request to Alibaba's actions.
pub fn alibaba(input: &[u8]) -> bool {
    run_facade(input, |path| path == "/")
}

/// Sends a request to Glance's paths.
pub fn glance(input: &[u8]) -> bool {
    run_facade(input, |path| {
        path == "/v2/images" || path.starts_with("/v2/images/") || path.starts_with("/v2/schemas/")
    })
}

/// Sends a request to the paths of access keys and Keystone.
pub fn identity(input: &[u8]) -> bool {
    run_facade(input, |path| path.starts_with("/v1/access-keys") || path.starts_with("/v3"))
}

/// Sends a request to IMS's paths.
pub fn ims(input: &[u8]) -> bool {
    run_facade(input, |path| {
        path.starts_with("/v1/") && !path.starts_with("/v1/access-keys") || path == "/v2/cloudimages"
    })
}

fn run_facade(input: &[u8], is_of_facade: fn(&str) -> bool) -> bool {
    let Some(mut request) = request_text::parse_request(&FIXTURE.fill_placeholders(input)) else {
        return false;
    };
    if !is_of_facade(request.uri().path()) {
        return false;
    }
    if !is_signed(&request) {
        insert_token(request.headers_mut());
    }
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let before = FIXTURE.table.write_count();
    let response = FIXTURE.send(request, CLIENT_ADDRESS);
    let wrote = FIXTURE.table.write_count() > before;
    check_response(&method, &path, &response);
    assert!(!wrote || response.status().is_success(), "a refused request has written: {response:?}");
    true
}

fn is_signed(request: &Request<Bytes>) -> bool {
    let query = request.uri().query().unwrap_or_default();
    request.headers().contains_key("authorization") || query.contains("AccessKeyId=")
}

/// Replaces a token of the form `PROJECT/ROLE` by a signed one.
fn insert_token(headers: &mut HeaderMap) {
    let token_header =
        headers.get("x-auth-token").map_or("own1/member", |value| value.to_str().unwrap_or_default());
    let Some((project, role)) = token_header.split_once('/') else { return };
    let token = Deployment::token(project, role);
    headers.insert("x-auth-token", token.try_into().expect("a token is ASCII"));
}

/// Checks a response against the document.
pub(super) fn check_response(method: &str, path: &str, response: &Response<Bytes>) {
    let status = response.status().as_u16();
    assert!(status < 500, "{method} {path}: {response:?}");
    assert!(response.headers().contains_key("x-request-id"), "{method} {path}: {response:?}");
    if method == "HEAD" {
        return;
    }
    let operation = DOCUMENT.find_operation(method, path);
    let body = Some(response.body()).filter(|body| !body.is_empty());
    let body: Option<Value> = body.map(|body| serde_json::from_slice(body).expect("a JSON body"));
    if let Some(problem) = DOCUMENT.response_violation(&operation, status, body.as_ref()) {
        panic!("{method} {path}: {problem}: {response:?}");
    }
    assert!(status < 400 || body.is_some(), "{method} {path}: no error body: {response:?}");
}
