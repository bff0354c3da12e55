//! The gateway's own error responses, in the service's error body.

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderName, HeaderValue, StatusCode};
use imageshare::http::{ApiError, BodyTooLarge, HttpResponse, error_response};
use uuid::Uuid;

use super::body::BodyError;
use super::event::MalformedRequest;

/// Why a request gets no response from a function.
pub(super) enum GatewayError {
    HeadersTooLarge,
    Body(BodyError),
    /// The body is larger than `allowed` bytes. `limit` is the operation's limit for a request with a credential.
    BodyTooLarge {
        allowed: usize,
        limit: usize,
    },
    Malformed(MalformedRequest),
    /// The HTTP parser rejects the request.
    InvalidHttp,
    /// The memory budget for large bodies or responses is used up.
    Busy,
    FunctionFailed,
    FunctionTimeout,
}

impl GatewayError {
    /// Returns the response: status, code, and a message that names the limit and what the client can do.
    pub(super) fn to_response(&self) -> HttpResponse {
        let (status, code, message) = match self {
            Self::HeadersTooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "IMG.0001",
                "Request line and headers are larger than 10240 bytes. Send fewer or shorter headers.",
            ),
            Self::BodyTooLarge { allowed, limit } => {
                let error = BodyTooLarge { allowed: *allowed, limit: *limit };
                return close_connection(ApiError::from(error).into_response());
            }
            Self::Body(BodyError::TooLarge) => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "IMG.0001",
                "The request is larger than 6 MB. Split it into several; the data of images live elsewhere.",
            ),
            Self::Body(BodyError::Timeout) => (
                StatusCode::REQUEST_TIMEOUT,
                "IMG.0001",
                "The body did not arrive within 30 seconds. Send it again.",
            ),
            Self::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                "IMG.0060",
                "Too many large requests or responses are in progress. Try again in a second.",
            ),
            Self::InvalidHttp => (
                StatusCode::BAD_REQUEST,
                "IMG.0001",
                "The request is not HTTP/1.1: its first line, a header or its length cannot be read.",
            ),
            Self::Body(BodyError::Broken) => (
                StatusCode::BAD_REQUEST,
                "IMG.0001",
                "The body ended early or is not framed as its headers say. Send it again.",
            ),
            Self::Malformed(MalformedRequest::Target) => (
                StatusCode::BAD_REQUEST,
                "IMG.0001",
                "The request's target is not a path. Begin it with a slash.",
            ),
            Self::Malformed(MalformedRequest::Host) => (
                StatusCode::BAD_REQUEST,
                "IMG.0001",
                "The Host header is not a valid host, or is given twice. Send the address of this server.",
            ),
            Self::FunctionFailed => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "IMG.0061",
                "Unknown system error. Try again, or give the operator the request id.",
            ),
            Self::FunctionTimeout => (
                StatusCode::GATEWAY_TIMEOUT,
                "IMG.0061",
                "No response within 29 seconds. The request may still be carried out: check before you try again.",
            ),
        };
        let response = error_response(status, code, message);
        if matches!(self, Self::HeadersTooLarge | Self::Body(_) | Self::InvalidHttp | Self::Busy) {
            close_connection(response)
        } else {
            response
        }
    }
}

/// Makes a response the last of its connection, since the rest of the request's body may still arrive.
fn close_connection(mut response: HttpResponse) -> HttpResponse {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Returns the replacement, with the service's error body, for a response that the HTTP parser writes itself. The
/// parser writes one without a body if it cannot read a request or its head is too long. `None` for any other bytes.
///
/// Nothing else is mistaken for one of those: every response of the gateway has a request id, and its bodies, JSON and
/// text, never end in the empty line that ends a head.
pub(super) fn replace_parser_response(written: &[u8]) -> Option<Bytes> {
    let head = written.strip_suffix(b"\r\n\r\n").filter(|head| head.starts_with(b"HTTP/1."))?;
    let mut lines = std::str::from_utf8(head).ok()?.split("\r\n");
    let error = match lines.next()?.split(' ').nth(1)? {
        "400" => GatewayError::InvalidHttp,
        "414" | "431" => GatewayError::HeadersTooLarge,
        _ => return None,
    };
    let headers: Vec<_> = lines.collect();
    if headers.iter().any(|header| header.starts_with("x-request-id:")) {
        return None;
    }
    let request_id = Uuid::new_v4().to_string();
    let mut response = error.to_response();
    set_request_id(&mut response, &request_id);
    tracing::info!(request_id, status = response.status().as_u16(), "request");
    let date = headers.iter().find(|header| header.starts_with("date:"));
    Some(serialize_response(&response, date.copied()))
}

/// Sets the request id of a response, in both headers that clients read.
pub(super) fn set_request_id(response: &mut HttpResponse, request_id: &str) {
    for (name, id) in [
        ("x-request-id", HeaderValue::from_str(request_id)),
        ("x-openstack-request-id", HeaderValue::try_from(format!("req-{request_id}"))),
    ] {
        response.headers_mut().extend(id.ok().map(|id| (HeaderName::from_static(name), id)));
    }
}

/// Writes a response as HTTP/1.1.
fn serialize_response(response: &HttpResponse, date: Option<&str>) -> Bytes {
    let body: &[u8] = response.body();
    let mut bytes =
        format!("HTTP/1.1 {}\r\ncontent-length: {}\r\n", response.status(), body.len()).into_bytes();
    for (name, value) in response.headers() {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            bytes.extend_from_slice(part);
        }
    }
    for part in [date.unwrap_or_default(), if date.is_some() { "\r\n" } else { "" }, "\r\n"] {
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes.extend_from_slice(body);
    bytes.into()
}
