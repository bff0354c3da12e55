//! An error of an API: status, code, message, and when to come again.
//!
//! Every dialect but Alibaba's has the one body that all OpenStack and IMS clients read,
//! `{"error":{"code":"IMG.….","message","title"}}` (`contract/ims.md` 1.9), and the codes of IMS. A message names the value
//! that is wrong and what to do; a fault of the service says only that it is one, and the log says more.

use std::fmt::Write as _;
use std::time::Duration;

use http::StatusCode;

use super::body_limit::BodyTooLarge;
use super::idempotency::InvalidIdempotencyKey;
use super::rejection::RejectionReason;
use super::request::UnexpectedBody;
use super::{HttpResponse, response, server_error};
use crate::auth::{AuthError, CredentialError};
use crate::store::StoreError;

/// An error, before it is rendered as a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status.
    pub status: StatusCode,
    /// The code by which programs know the error.
    pub code: &'static str,
    /// The message for the caller.
    pub message: String,
    /// When the same request may succeed, from now on.
    pub retry_after: Option<Duration>,
}

impl ApiError {
    /// An error of that status, code and message.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None }
    }

    /// An error with status 400.
    pub fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// A request that is malformed: 400 `IMG.0001`, the code of all errors for which IMS has no other.
    pub fn malformed(message: impl Into<String>) -> Self {
        Self::bad_request("IMG.0001", message)
    }

    /// The issuer of a token cannot be reached. Logs why.
    pub fn issuer_unavailable(problem: &str) -> Self {
        server_error::for_issuer_error(problem).into()
    }

    /// The error in the body that OpenStack and IMS clients read, with `Retry-After` where it says when to come again.
    pub fn into_response(self) -> HttpResponse {
        let response = response::error_response(self.status, self.code, &self.message);
        response::with_retry_after(response, self.retry_after)
    }
}

impl From<(StatusCode, &'static str, &'static str)> for ApiError {
    fn from((status, code, message): (StatusCode, &'static str, &'static str)) -> Self {
        Self::new(status, code, message)
    }
}

impl From<StoreError> for ApiError {
    fn from(problem: StoreError) -> Self {
        server_error::for_store_error(&problem).into()
    }
}

impl From<UnexpectedBody> for ApiError {
    fn from(problem: UnexpectedBody) -> Self {
        Self::malformed(problem.to_string())
    }
}

impl From<InvalidIdempotencyKey> for ApiError {
    fn from(problem: InvalidIdempotencyKey) -> Self {
        Self::malformed(problem.to_string())
    }
}

impl From<BodyTooLarge> for ApiError {
    fn from(problem: BodyTooLarge) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "IMG.0001", problem.to_string())
    }
}

/// The beginning of every message about a credential that is missing or not valid, as OpenStack's services have it.
const UNAUTHORIZED_MESSAGE: &str =
    "This server could not verify that you are authorized to access the document you requested.";

/// A wrong signature has the code of the vendor's own gateway (`contract/ims.md` 1.8).
impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        let error = match error {
            AuthError::Credential(error) => error,
            AuthError::Store(problem) => return problem.into(),
            AuthError::IssuerUnavailable(problem) => return Self::issuer_unavailable(&problem),
        };
        let text = sentence(&error.to_string());
        match error {
            error if error.is_forbidden() => Self::new(StatusCode::FORBIDDEN, "IMG.0026", text),
            CredentialError::Signature(_) => Self::new(
                StatusCode::UNAUTHORIZED,
                "APIGW.0301",
                format!("Incorrect IAM authentication information. {text}"),
            ),
            _ => Self::new(StatusCode::UNAUTHORIZED, "IMG.0087", format!("{UNAUTHORIZED_MESSAGE} {text}")),
        }
    }
}

impl From<RejectionReason> for ApiError {
    fn from(reason: RejectionReason) -> Self {
        match reason {
            RejectionReason::BodyTooLarge(problem) => problem.into(),
            RejectionReason::Auth(error) => error.into(),
            RejectionReason::UseCase(error) => error.into(),
        }
    }
}

/// The text with a capital at its beginning and a full stop at its end.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let mut sentence: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    let _ = write!(sentence, "{}.", letters.as_str());
    sentence
}
