//! Errors that only this facade has. [`ApiError`] has those that it shares with others.

use http::StatusCode;

use super::create_key::EXPECTED_EXPIRY;
use crate::domain::TenantId;
use crate::http::ApiError;
use crate::usecases::AccessKeyError;

/// 403: the credential is valid, but acts for the project `acting` alone.
pub(super) fn wrong_scope(acting: &TenantId) -> ApiError {
    let message = format!(
        "Your credential is valid, but it acts for project {acting} alone. Send that project as scope, or no scope, or use a \
         credential of the other project."
    );
    ApiError::new(StatusCode::FORBIDDEN, "IMG.0026", message)
}

/// 401, with the same message whether the id, the secret or the token is wrong.
pub(super) fn unauthenticated() -> ApiError {
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        "IMG.0087",
        "The request you have made requires authentication: send an access key's id as user or application credential and its secret as password or secret, or a token. Check both, and whether the key was disabled or has expired.",
    )
}

impl From<AccessKeyError> for ApiError {
    fn from(error: AccessKeyError) -> Self {
        use StatusCode as S;
        match error {
            AccessKeyError::Denied(denied) => denied.into(),
            AccessKeyError::RoleExceedsCaller(role) => Self::new(
                S::FORBIDDEN,
                "IMG.0026",
                format!(
                    "roles: {} is more than your own role. Give the key no more than your own.",
                    role.name()
                ),
            ),
            AccessKeyError::KeyRoleExceedsCaller(role) => Self::new(
                S::FORBIDDEN,
                "IMG.0026",
                format!(
                    "The access key has the role {}, which is more than your own. Ask a user with that role to change or disable it.",
                    role.name()
                ),
            ),
            AccessKeyError::InvalidExpiry => {
                Self::malformed(format!("expires_at: expected {EXPECTED_EXPIRY}."))
            }
            AccessKeyError::KeyLimit(limit) => Self::new(
                S::FORBIDDEN,
                "IMG.0088",
                format!(
                    "Your project has {limit} access keys, the most allowed. Disable one that is not needed."
                ),
            ),
            AccessKeyError::NotFound => {
                Self::new(S::NOT_FOUND, "IMG.0031", "Your project has no such access key.")
            }
            AccessKeyError::NoMasterKey => Self::new(
                S::CONFLICT,
                "IMG.0105",
                "Access keys are not enabled here. The operator of the service enables them with IMAGESHARE_MASTER_KEYS.",
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
