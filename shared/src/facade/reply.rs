//! Answers over HTTP, and the one error body that every OpenStack and IMS client can read.
//!
//! `{"error":{"code","message","title"}}` parses in each of them; Glance's own flat JSON crashes
//! python-glanceclient (`contract/gateway.md` 5.2). The message is for the caller and says what to do; what the
//! operator needs goes to the log.

use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use lambda_http::Body;
use serde::Serialize;

/// An answer as a Lambda function gives it.
pub type Reply = Response<Body>;

/// An answer with a JSON body.
pub fn json(status: StatusCode, body: &impl Serialize) -> Reply {
    match serde_json::to_string(body) {
        Ok(text) => with_body(status, text),
        Err(problem) => {
            tracing::error!(%problem, "an answer could not be written as JSON");
            error(StatusCode::INTERNAL_SERVER_ERROR, "IMG.0061", "Unknown system error. Try again.")
        }
    }
}

/// An answer without a body.
pub fn no_content() -> Reply {
    let mut reply = Response::new(Body::Empty);
    *reply.status_mut() = StatusCode::NO_CONTENT;
    reply
}

/// An error in the one body that all OpenStack and IMS clients read; `title` is the status's own name. Where the service
/// is busy, the client is told when to come again.
pub fn error(status: StatusCode, code: &str, message: &str) -> Reply {
    let title = status.canonical_reason().unwrap_or("Error");
    let body = serde_json::json!({ "error": { "code": code, "message": message, "title": title } });
    let mut reply = with_body(status, body.to_string());
    if status == StatusCode::SERVICE_UNAVAILABLE {
        reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    reply
}

fn with_body(status: StatusCode, text: String) -> Reply {
    let mut reply = Response::new(Body::Text(text));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}
