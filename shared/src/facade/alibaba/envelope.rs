//! What every response contains besides the result of its action: the request's id, and with an error the host and a
//! link to its description (`contract/alibaba.md` 3.7).

use http::StatusCode;
use http::header::{HeaderName, HeaderValue, RETRY_AFTER};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::action::{Action, Product};
use super::format::Format;
use super::{Error, Parameters};
use crate::http::{
    ApiError, ErrorInfo, HttpResponse, IncomingRequest, RejectedRequest, RejectionReason, response,
};

/// Names the parameters that were sent and ignored.
const IGNORED_PARAMETERS_HEADER: HeaderName = HeaderName::from_static("x-ignored-parameters");

/// The SDKs report a response with this header as throttled, and wait for this number of milliseconds.
const RETRY_AFTER_MILLIS_HEADER: HeaderName = HeaderName::from_static("x-acs-retry-after");

/// The maximum number of ignored parameters that are named.
const MAX_IGNORED_NAMES: usize = 50;

/// The result of an action.
#[derive(Debug, Default)]
pub(super) struct ActionOutput {
    /// The body, an object without the request's id; null for an empty one.
    pub(super) body: Value,
    /// The names of the ignored parameters.
    pub(super) ignored_parameters: Vec<String>,
}

impl From<Value> for ActionOutput {
    fn from(body: Value) -> Self {
        Self { body, ignored_parameters: Vec::new() }
    }
}

/// What a response contains besides the result of its action.
#[derive(Debug)]
pub(super) struct Envelope {
    request_id: String,
    host: String,
    format: Format,
}

impl Error {
    /// The response to a request that failed before its action. `parameters`, if they could be parsed, choose the
    /// format.
    pub fn into_response(self, incoming: &IncomingRequest, parameters: Option<&Parameters>) -> HttpResponse {
        Envelope::new(incoming.request_id(), incoming.raw_header("host"), parameters).error(self, None)
    }
}

/// The response to a request that was rejected before its action. `parameters`, if they could be parsed, choose the
/// format.
///
/// A body that is too large gets the error body of the other facades: the gateway, which also checks the size, cannot
/// tell the facade by the body.
pub fn reject(rejected: &RejectedRequest, parameters: Option<&Parameters>) -> HttpResponse {
    let error = match rejected.reason().clone() {
        RejectionReason::BodyTooLarge(problem) => return ApiError::from(problem).into_response(),
        RejectionReason::Unready(unready) => Error::from(&unready),
        RejectionReason::Auth(error) => Error::from(error),
        RejectionReason::UseCase(error) => Error::from(error),
    };
    error.into_response(rejected, parameters)
}

impl Envelope {
    /// The envelope for a request. Without parameters, or with an unknown format, its format is the default.
    pub(super) fn new(request_id: &str, host: Option<&[u8]>, parameters: Option<&Parameters>) -> Self {
        let host = String::from_utf8_lossy(host.unwrap_or_default()).into_owned();
        let format = parameters.and_then(|parameters| Format::parse(parameters).ok()).unwrap_or_default();
        Self { request_id: request_uuid(request_id), host, format }
    }

    /// The response to a successful action.
    pub(super) fn success(&self, action: Action, output: ActionOutput) -> HttpResponse {
        let mut body = output.body;
        if body.is_null() {
            body = json!({});
        }
        if let Value::Object(members) = &mut body {
            members.insert("RequestId".to_owned(), self.request_id.as_str().into());
        }
        let mut response = self.format.response(StatusCode::OK, &format!("{}Response", action.name()), &body);
        if let Some(names) = ignored_parameters_header(&output.ignored_parameters) {
            response.headers_mut().insert(IGNORED_PARAMETERS_HEADER, names);
        }
        response
    }

    /// The response for an error, in the form that the SDKs read.
    pub(super) fn error(&self, error: Error, product: Option<Product>) -> HttpResponse {
        let error = error.into_inner();
        let product = match product {
            Some(Product::Ecd) => "&product=ecd",
            Some(Product::Ecs) => "&product=ecs",
            None => "",
        };
        let body = json!({
            "RequestId": self.request_id,
            "HostId": self.host,
            "Code": error.code,
            "Message": error.message,
            "Recommend": format!("https://api.aliyun.com/troubleshoot?q={}{product}", error.code),
        });
        let response = self.format.response(error.status, "Error", &body);
        let mut response = ErrorInfo::attach(response, error.code, &error.message);
        if error.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if let Some(wait) = error.retry_after {
            let millis = response::ceil_seconds(wait).saturating_mul(1000);
            response.headers_mut().insert(RETRY_AFTER_MILLIS_HEADER, HeaderValue::from(millis));
        }
        response::with_retry_after(response, error.retry_after)
    }
}

fn ignored_parameters_header(ignored: &[String]) -> Option<HeaderValue> {
    if ignored.is_empty() {
        return None;
    }
    let mut names: Vec<_> = ignored.iter().take(MAX_IGNORED_NAMES).cloned().collect();
    match ignored.len().saturating_sub(MAX_IGNORED_NAMES) {
        0 => {}
        more => names.push(format!("and {more} more")),
    }
    HeaderValue::from_str(&names.join(", ")).ok()
}

/// The request's id as Alibaba's clients expect it: a UUID in upper case. An id of the gateway that is no UUID is
/// hashed to one.
fn request_uuid(request_id: &str) -> String {
    let id = Uuid::try_parse(request_id).unwrap_or_else(|_| {
        let digest: [u8; 32] = Sha256::digest(request_id).into();
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(digest).for_each(|(byte, digest_byte)| *byte = digest_byte);
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    });
    id.hyphenated().to_string().to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_id_is_uppercase_uuid() {
        assert_eq!(
            request_uuid("7f1b5c0e-0d4a-4a53-9c3e-1f8b7c6d5e4f"),
            "7F1B5C0E-0D4A-4A53-9C3E-1F8B7C6D5E4F"
        );
        let derived = request_uuid("JKJaXmPLvHcESHA=");
        assert!(Uuid::try_parse(&derived).is_ok() && derived == derived.to_uppercase(), "{derived}");
        assert_eq!(derived, request_uuid("JKJaXmPLvHcESHA="));
        assert_ne!(derived, request_uuid("JKJaXmPLvHcESHB="));
    }

    #[test]
    fn ignored_parameters_are_listed_up_to_the_limit() {
        let names = |count: usize| (11..11 + count).map(|n| format!("AddAccount.{n}")).collect::<Vec<_>>();
        assert_eq!(ignored_parameters_header(&[]), None);
        assert_eq!(ignored_parameters_header(&names(2)).unwrap(), "AddAccount.11, AddAccount.12");
        assert!(
            ignored_parameters_header(&names(51))
                .unwrap()
                .to_str()
                .unwrap()
                .ends_with("AddAccount.60, and 1 more")
        );
    }
}
