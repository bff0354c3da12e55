//! `DELETE /v3/auth/tokens`: revoke the token in `X-Subject-Token`. A token of another project is 404, like an invalid
//! one.

use http::StatusCode;

use super::token::{subject_token, token_not_found};
use crate::auth::{AuthError, Authenticator, CredentialError};
use crate::domain::{Timestamp, authorize_revocation};
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, no_content};

/// The operation's route.
pub const ROUTE: &str = "DELETE /v3/auth/tokens";

/// The token in `X-Subject-Token` in, 204 out. [`authorize_revocation`] says which tokens a caller may revoke.
pub async fn handle(authenticator: &Authenticator, request: &AuthenticatedRequest) -> HttpResponse {
    revoke(authenticator, request).await.unwrap_or_else(ApiError::into_response)
}

async fn revoke(
    authenticator: &Authenticator,
    request: &AuthenticatedRequest,
) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let now = Timestamp::now();
    let (subject, bearer) = subject_token(authenticator, request, now).await?;
    if authorize_revocation(request.caller(), &bearer.caller).is_err() {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "IMG.0026",
            format!(
                "X-Subject-Token: your role here is {}, which cannot revoke this token. Use the token itself, or the role member or admin, no lower than the token's.",
                request.caller().role.name()
            ),
        ));
    }
    match authenticator.revoke(subject, &request.app.store, now).await {
        Ok(()) => Ok(no_content()),
        Err(AuthError::Credential(error @ CredentialError::NotRevocable)) => {
            Err(ApiError::new(StatusCode::FORBIDDEN, "IMG.0026", format!("X-Subject-Token: {error}.")))
        }
        Err(AuthError::Credential(_)) => Err(token_not_found()),
        Err(AuthError::Store(problem)) => Err(problem.into()),
        Err(AuthError::IssuerUnavailable(problem)) => Err(ApiError::issuer_unavailable(&problem)),
    }
}
