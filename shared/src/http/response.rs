//! HTTP responses, and the one error body that every OpenStack and IMS client can read.
//!
//! All of them parse `{"error":{"code","message","title"}}`; Glance's own flat JSON crashes python-glanceclient
//! (`contract/gateway.md` 5.2). The message tells the caller what to do; details for the operator are logged.

use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use lambda_http::Body;
use serde::Serialize;

/// A response as a Lambda function returns it.
pub type HttpResponse = Response<Body>;

/// The error of a response, for the log: an extension of the response, which is not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorInfo {
    /// The code in the response.
    pub code: String,
    /// The message in the response.
    pub message: String,
}

impl ErrorInfo {
    /// Attaches the error to a response.
    pub fn attach(mut response: HttpResponse, code: &str, reason: &str) -> HttpResponse {
        response.extensions_mut().insert(Self { code: code.to_owned(), message: reason.to_owned() });
        response
    }
}

/// Creates a response with a JSON body. Returns 500 if the body cannot be serialized.
pub fn json_response(status: StatusCode, body: &impl Serialize) -> HttpResponse {
    match serde_json::to_string(body) {
        Ok(text) => json_text_response(status, text),
        Err(problem) => {
            tracing::error!(%problem, "a response could not be serialized as JSON");
            error_response(StatusCode::INTERNAL_SERVER_ERROR, "IMG.0061", "Unknown system error. Try again.")
        }
    }
}

/// Creates a 204 response, without a body.
pub fn no_content() -> HttpResponse {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Creates an error response in the one body that all OpenStack and IMS clients read. `title` is the name of the
/// status. A 503 has `Retry-After`.
pub fn error_response(status: StatusCode, code: &str, message: &str) -> HttpResponse {
    let title = status.canonical_reason().unwrap_or("Error");
    let body = serde_json::json!({ "error": { "code": code, "message": message, "title": title } });
    let mut response = ErrorInfo::attach(json_text_response(status, body.to_string()), code, message);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// Adds `Retry-After`, in whole seconds, to a response.
pub fn with_retry_after(mut response: HttpResponse, wait: Option<Duration>) -> HttpResponse {
    if let Some(wait) = wait {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(ceil_seconds(wait)));
    }
    response
}

/// Rounds a wait up to whole seconds, at least one, so that a client does not retry too early.
pub fn ceil_seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1)
}

/// Adds `WWW-Authenticate` to a 401, which RFC 9110 requires, in OpenStack's form: the scheme `Keystone`, with its URL.
pub fn with_auth_challenge(mut response: HttpResponse, address: &str) -> HttpResponse {
    if response.status() == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_str(&format!("Keystone uri=\"{address}\"")).ok();
        response.headers_mut().extend(challenge.map(|challenge| (WWW_AUTHENTICATE, challenge)));
    }
    response
}

fn json_text_response(status: StatusCode, text: String) -> HttpResponse {
    let mut response = Response::new(Body::Text(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unauthorized_response_names_keystone_address() {
        let mut refused = no_content();
        assert!(with_auth_challenge(no_content(), "https://a").headers().is_empty());
        *refused.status_mut() = StatusCode::UNAUTHORIZED;
        let refused = with_auth_challenge(refused, "https://images.example");
        assert_eq!(refused.headers()[WWW_AUTHENTICATE], "Keystone uri=\"https://images.example\"");
    }

    #[test]
    fn retry_after_is_rounded_up_to_whole_seconds() {
        for (millis, seconds) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (59_999, 60)] {
            assert_eq!(ceil_seconds(Duration::from_millis(millis)), seconds);
        }
        assert_eq!(ceil_seconds(Duration::MAX), u64::MAX);
        let response = with_retry_after(no_content(), Some(Duration::from_millis(1_500)));
        assert_eq!(response.headers()[RETRY_AFTER], "2");
        assert!(with_retry_after(no_content(), None).headers().is_empty());
    }
}
