//! Errors of the identity paths. The one table from refusals to statuses is [`Error::from`].

use http::StatusCode;

use crate::domain::TenantId;
use crate::facade::ims;
use crate::http::{AuthenticatedRequest, HttpResponse, UNEXPECTED_BODY, response, server_error};
use crate::store::StoreError;
use crate::usecases::AccessKeyError;

/// An error as these paths answer it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Error {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// The request is not as it must be.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "IMG.0001", message)
    }

    /// A token's issuer cannot be asked.
    pub(super) fn issuer_unavailable(problem: &str) -> Self {
        let (status, code, message) = server_error::for_issuer_error(problem);
        Self::new(status, code, message)
    }

    /// The credential is right, but acts for that project alone.
    pub(super) fn wrong_scope(acting: &TenantId) -> Self {
        let message = format!(
            "Your credential is right, but it acts for project {acting} alone: send that project as scope, or no scope, or a \
             credential of the other project."
        );
        Self::new(StatusCode::FORBIDDEN, "IMG.0026", message)
    }

    /// Nobody of that name has that secret: the same words whatever is wrong.
    pub(super) fn unauthenticated() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "IMG.0087",
            "The request you have made requires authentication: send an access key's id as user or application credential and its secret as password or secret, or a token. Check both, and whether the key was disabled.",
        )
    }

    /// The error as an answer.
    pub fn into_response(self) -> HttpResponse {
        response::error_response(self.status, self.code, &self.message)
    }
}

impl From<AccessKeyError> for Error {
    fn from(refusal: AccessKeyError) -> Self {
        use StatusCode as S;
        match refusal {
            AccessKeyError::ReadOnly => Self::new(
                S::FORBIDDEN,
                "IMG.0026",
                "Your role here is reader, which only reads. Ask for the role member.",
            ),
            AccessKeyError::RoleExceedsCaller(role) => Self::new(
                S::FORBIDDEN,
                "IMG.0026",
                format!("roles: {} is more than your own role. Give no more than you have.", role.name()),
            ),
            AccessKeyError::KeyRoleExceedsCaller(role) => Self::new(
                S::FORBIDDEN,
                "IMG.0026",
                format!(
                    "The access key has the role {}, which is more than your own. Ask somebody who has it to disable it.",
                    role.name()
                ),
            ),
            AccessKeyError::KeyLimit(most) => Self::new(
                S::FORBIDDEN,
                "IMG.0088",
                format!(
                    "Your project has {most} access keys, the most allowed. Disable one that is not needed."
                ),
            ),
            AccessKeyError::NotFound => {
                Self::new(S::NOT_FOUND, "IMG.0031", "Your project has no such access key.")
            }
            AccessKeyError::NoMasterKey => Self::new(
                S::CONFLICT,
                "IMG.0105",
                "This deployment has no access keys. Its operator can set IMAGESHARE_MASTER_KEYS.",
            ),
            AccessKeyError::IdempotencyKeyReused => Self::new(
                S::UNPROCESSABLE_ENTITY,
                "IMG.0018",
                "This Idempotency-Key was used for another request in the last 24 hours. Use a new key for a new request.",
            ),
            AccessKeyError::Store(problem) => problem.into(),
        }
    }
}

impl From<StoreError> for Error {
    fn from(problem: StoreError) -> Self {
        let (status, code, message) = server_error::for_store_error(&problem);
        Self::new(status, code, message)
    }
}

impl From<ims::Error> for Error {
    fn from(error: ims::Error) -> Self {
        let (status, code, message) = error.into_parts();
        Self { status, code, message }
    }
}

/// Refuses a request that came with a body, where none is looked at.
pub(super) fn ensure_no_body(call: &AuthenticatedRequest) -> Result<(), Error> {
    if call.body().is_empty() { Ok(()) } else { Err(Error::bad_request(UNEXPECTED_BODY)) }
}
