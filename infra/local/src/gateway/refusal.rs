//! What the gateway answers in a function's place, in the one error body.

use http::header::CONNECTION;
use http::{HeaderValue, StatusCode};
use imageshare::facade::{self, Reply};

use super::body::BodyError;

/// Why the gateway answers itself.
pub(super) enum Refusal {
    HeadersTooLarge,
    Body(BodyError),
    Malformed,
    Failed,
    TimedOut,
}

impl Refusal {
    /// The answer: which of its limits was met, and what to do.
    pub(super) fn reply(&self) -> Reply {
        let (status, code, message) = match self {
            Self::HeadersTooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "IMG.0001",
                "Request line and headers are larger than 10240 bytes. Send fewer or shorter headers.",
            ),
            Self::Body(BodyError::TooLarge) => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "IMG.0001",
                "The request is larger than 6 MB. Split it into several; the data of images live elsewhere.",
            ),
            Self::Body(BodyError::TooSlow) => (
                StatusCode::REQUEST_TIMEOUT,
                "IMG.0001",
                "The body did not arrive within 30 seconds. Send it again.",
            ),
            Self::Body(BodyError::Broken) => (
                StatusCode::BAD_REQUEST,
                "IMG.0001",
                "The body ended early or is not framed as its headers say. Send it again.",
            ),
            Self::Malformed => (
                StatusCode::BAD_REQUEST,
                "IMG.0001",
                "The Host header names no host, or is given twice. Send the address of this server.",
            ),
            Self::Failed => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "IMG.0061",
                "Unknown system error. Try again, or give the operator the request id.",
            ),
            Self::TimedOut => (
                StatusCode::GATEWAY_TIMEOUT,
                "IMG.0061",
                "No answer within 29 seconds. What was asked may still happen; look before you try again.",
            ),
        };
        let mut reply = facade::error(status, code, message);
        if matches!(self, Self::HeadersTooLarge | Self::Body(_)) {
            // The rest of the body may still be on its way.
            reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        reply
    }
}
