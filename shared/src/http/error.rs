//! An API error: status, code, message, and when to retry.
//!
//! Every dialect but Alibaba's has the codes of IMS, in the one body that all OpenStack and IMS clients read:
//! `{"error":{"code":"IMG.….","message","title"}}` (`contract/ims.md` 1.9). A message names the invalid value and
//! what to do. The message of an internal error has no details; those are logged.

use std::fmt::Write as _;
use std::time::Duration;

use http::StatusCode;

use super::body_limit::BodyTooLarge;
use super::idempotency::InvalidIdempotencyKey;
use super::rejection::RejectionReason;
use super::request::UnexpectedBody;
use super::unready::Unready;
use super::{HttpResponse, response, server_error};
use crate::auth::{AuthError, CredentialError};
use crate::store::StoreError;

/// An error, before it is rendered as a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status.
    pub status: StatusCode,
    /// The code, for programs.
    pub code: &'static str,
    /// The message, for people: what is wrong and what to do.
    pub message: String,
    /// The time from now after which to retry the request.
    pub retry_after: Option<Duration>,
}

impl ApiError {
    /// Creates an error without `Retry-After`.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None }
    }

    /// Creates an error with status 400.
    pub fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// Creates the error of a malformed request: 400 `IMG.0001`, which IMS has for all errors without a code of their
    /// own.
    pub fn malformed(message: impl Into<String>) -> Self {
        Self::bad_request("IMG.0001", message)
    }

    /// Creates the error of a token issuer that cannot be reached, and logs why.
    pub fn issuer_unavailable(problem: &str) -> Self {
        server_error::for_issuer_error(problem).into()
    }

    /// Renders the error in the body that OpenStack and IMS clients read, with `Retry-After` if it is set.
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

impl From<&Unready> for ApiError {
    fn from(unready: &Unready) -> Self {
        server_error::for_unready(unready).into()
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

/// The start of every message about a missing or invalid credential, as in OpenStack's services.
const UNAUTHORIZED_MESSAGE: &str =
    "This server could not verify that you are authorized to access the document you requested.";

/// An invalid signature has the code of the vendor's own gateway (`contract/ims.md` 1.8).
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
            RejectionReason::Unready(unready) => Self::from(&unready),
            RejectionReason::BodyTooLarge(problem) => problem.into(),
            RejectionReason::Auth(error) => error.into(),
            RejectionReason::UseCase(error) => error.into(),
        }
    }
}

/// The text as a sentence: with a capital first letter and a full stop.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let mut sentence: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    let _ = write!(sentence, "{}.", letters.as_str());
    sentence
}
