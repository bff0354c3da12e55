//! Errors in the form that AWS's SDKs read: `{"__type","message"}`, with the status 400 for the caller's mistakes.

use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use imageshare::auth::signature::SignatureError;
use imageshare::auth::{AuthError, CredentialError};
use imageshare::http::{ApiError, ErrorInfo, HttpResponse, RejectedRequest, RejectionReason, json_response};
use serde::Serialize;
use serde_json::json;

/// Why a call failed as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CallError {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl CallError {
    /// A mistake of the caller.
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, message: message.into() }
    }

    /// The parameters cannot be used.
    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationException", message)
    }

    /// A failure of the service. The other errors have its words.
    pub(super) fn of_service(problem: ApiError) -> Self {
        let code = if problem.status == StatusCode::SERVICE_UNAVAILABLE {
            "ServiceUnavailableException"
        } else {
            "InternalException"
        };
        Self { status: problem.status, code, message: problem.message }
    }

    pub(super) fn into_response(self) -> HttpResponse {
        let response = aws_response(self.status, &json!({"__type": self.code, "message": self.message}));
        ErrorInfo::attach(response, self.code, &self.message)
    }
}

impl From<AuthError> for CallError {
    fn from(error: AuthError) -> Self {
        use SignatureError as S;
        let credential = match error {
            AuthError::Credential(credential) => credential,
            other => return Self::of_service(other.into()),
        };
        let code = match &credential {
            CredentialError::Missing => "MissingAuthenticationTokenException",
            CredentialError::Signature(problem) => match problem {
                S::SignatureMismatch | S::BodyMismatch | S::Expired => "InvalidSignatureException",
                S::UnknownKey | S::DisabledKey | S::ExpiredKey | S::RetiredMasterKey => {
                    "UnrecognizedClientException"
                }
                _ => "IncompleteSignatureException",
            },
            other if other.is_forbidden() => "AccessDeniedException",
            _ => "UnrecognizedClientException",
        };
        Self::new(code, credential.to_string())
    }
}

/// The response to a call that was rejected before it was made.
pub(super) fn reject(rejected: &RejectedRequest) -> HttpResponse {
    let error = match rejected.reason().clone() {
        RejectionReason::Auth(error) => error.into(),
        RejectionReason::BodyTooLarge(problem) => CallError::validation(problem.to_string()),
        other @ (RejectionReason::Unready(_) | RejectionReason::UseCase(_)) => {
            CallError::of_service(other.into())
        }
    };
    error.into_response()
}

/// A response with the media type of AWS's JSON protocol.
pub(super) fn aws_response(status: StatusCode, body: &impl Serialize) -> HttpResponse {
    let mut response = json_response(status, body);
    let media_type = HeaderValue::from_static("application/x-amz-json-1.1");
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}
