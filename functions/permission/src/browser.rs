//! A browser at `/`, which is led to the console.

use http::header::{ACCEPT, HeaderValue, LOCATION, VARY};
use http::{Response, StatusCode};
use imageshare::http::HttpResponse;
use lambda_http::{Body, Request};

/// Returns whether a browser sent the request, which prefers HTML. Clients of the API prefer JSON, or accept anything.
pub(crate) fn is_browser_request(request: &Request) -> bool {
    let accepted = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let first = accepted.split([',', ';']).next().unwrap_or_default();
    first.trim().eq_ignore_ascii_case("text/html") && request.body().is_empty()
}

/// Returns the redirect to the console.
pub(crate) fn to_console() -> HttpResponse {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::SEE_OTHER;
    for (name, value) in [(LOCATION, "/console"), (VARY, "Accept")] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
