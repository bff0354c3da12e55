//! The page that a browser gets at `/`.

use http::Response;
use http::header::{
    ACCEPT, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, VARY, X_CONTENT_TYPE_OPTIONS,
};
use imageshare::http::HttpResponse;
use lambda_http::{Body, Request};

/// Returns whether a browser sent the request, which prefers HTML. Clients of the API prefer JSON, or accept anything.
pub(crate) fn is_browser_request(request: &Request) -> bool {
    let accepted = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let first = accepted.split([',', ';']).next().unwrap_or_default();
    first.trim().eq_ignore_ascii_case("text/html") && request.body().is_empty()
}

/// Returns a page that says what the service is, with links to its documents.
pub(crate) fn page() -> HttpResponse {
    let mut response = Response::new(Body::Text(include_str!("welcome.html").to_owned()));
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (VARY, "Accept"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CONTENT_SECURITY_POLICY, policy),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
