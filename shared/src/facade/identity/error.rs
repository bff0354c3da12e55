//! Errors of the identity paths, beside those that they share with the other dialects ([`ApiError`]).

use http::StatusCode;

use crate::domain::TenantId;
use crate::http::ApiError;
use crate::usecases::AccessKeyError;

/// The credential is right, but acts for that project alone.
pub(super) fn wrong_scope(acting: &TenantId) -> ApiError {
    let message = format!(
        "Your credential is right, but it acts for project {acting} alone: send that project as scope, or no scope, or a \
         credential of the other project."
    );
    ApiError::new(StatusCode::FORBIDDEN, "IMG.0026", message)
}

/// Nobody of that name has that secret: the same words whatever is wrong.
pub(super) fn unauthenticated() -> ApiError {
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        "IMG.0087",
        "The request you have made requires authentication: send an access key's id as user or application credential and its secret as password or secret, or a token. Check both, and whether the key was disabled.",
    )
}

impl From<AccessKeyError> for ApiError {
    fn from(error: AccessKeyError) -> Self {
        use StatusCode as S;
        match error {
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
