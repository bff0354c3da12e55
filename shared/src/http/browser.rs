//! Browsers, which are led to the console where clients of the API get something else.

use http::header::{ACCEPT, HeaderMap, HeaderValue, LOCATION, VARY};
use http::{Response, StatusCode};
use lambda_http::Body;

use super::HttpResponse;

/// Returns whether a browser sent the request with these headers, which prefers HTML. Clients of the API prefer JSON, or accept
/// anything.
pub fn prefers_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let first = accepted.split([',', ';']).next().unwrap_or_default();
    first.trim().eq_ignore_ascii_case("text/html")
}

/// Returns the redirect to the console.
pub fn redirect_to_console() -> HttpResponse {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::SEE_OTHER;
    for (name, value) in [(LOCATION, "/console"), (VARY, "Accept")] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
