//! `GET` and `HEAD /v3/auth/tokens`: describe the token in `X-Subject-Token`. A token of another project is 404, like
//! an invalid one.

use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderValue};

use super::token::{SUBJECT_TOKEN_HEADER, TokenDescription, subject_token};
use crate::auth::Authenticator;
use crate::domain::Timestamp;
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, json_response};

/// The operation's route.
pub const ROUTE: &str = "GET /v3/auth/tokens";

/// The route of all other methods, including `HEAD`.
pub const ANY_ROUTE: &str = "ANY /v3/auth/tokens";

/// The token in `X-Subject-Token` in, its description out.
pub async fn handle(authenticator: &Authenticator, request: &AuthenticatedRequest) -> HttpResponse {
    show(authenticator, request).await.unwrap_or_else(ApiError::into_response)
}

async fn show(
    authenticator: &Authenticator,
    request: &AuthenticatedRequest,
) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let now = Timestamp::now();
    let (subject, bearer) = subject_token(authenticator, request, now).await?;
    let wire = TokenDescription {
        method: "token",
        caller: &bearer.caller,
        issued: bearer.issued.unwrap_or(now),
        expires: bearer.expires,
        address: &request.base_url(),
        region: &request.app.settings.region,
    };
    let mut response = json_response(StatusCode::OK, &wire.to_json());
    let token = HeaderValue::from_str(subject).ok();
    response
        .headers_mut()
        .extend(token.map(|token| (http::HeaderName::from_static(SUBJECT_TOKEN_HEADER), token)));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
