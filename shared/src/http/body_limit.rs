//! The size limits of request bodies. `infra/openapi.yaml` states them (`x-imageshare-body-limit`). The local gateway
//! enforces them; on AWS, where the gateway has one limit for all operations, the functions do.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::cookies::SESSION_COOKIE;

/// The limit, in bytes, of an operation that states none, and of every request without a credential: its body may be
/// that of a login.
pub const DEFAULT_BODY_LIMIT: usize = 16 * 1024;

/// The limits of the operations that state one: enough for all ids that one names, and for an image of 16 KiB, in any
/// usual encoding of JSON. A test compares them with the document.
const ROUTE_LIMITS: [(&str, usize); 8] = [
    ("POST /console/{page+}", 64 * 1024),
    ("POST /v1/{project_id}/memberships/query", 256 * 1024),
    ("POST /v1/cloudimages/members", 256 * 1024),
    ("PUT /v1/cloudimages/members", 128 * 1024),
    ("DELETE /v1/cloudimages/members", 256 * 1024),
    ("POST /v2/images", 128 * 1024),
    ("PATCH /v2/images/{image_id}", 128 * 1024),
    ("PUT /v1/share-rules/{rule_name}", 128 * 1024),
];

/// The body is larger than the limit of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("The body is larger than {allowed} bytes, which is the limit of {}", self.reason())]
pub struct BodyTooLarge {
    /// The limit of this request, in bytes.
    pub allowed: usize,
    /// The limit of the operation with a credential, in bytes.
    pub limit: usize,
}

impl BodyTooLarge {
    fn reason(self) -> &'static str {
        if self.allowed < self.limit {
            "a request without a credential. Send a token in X-Auth-Token, or sign the request."
        } else {
            "this operation. Split it into several requests; the data of images live elsewhere."
        }
    }
}

/// Returns the body limit of a route, in bytes, for a request with a credential.
pub fn body_limit(route: &str) -> usize {
    ROUTE_LIMITS.iter().find(|(limited, _)| *limited == route).map_or(DEFAULT_BODY_LIMIT, |(_, limit)| *limit)
}

/// Returns the body limit of a request with these headers, if `limit` is that of its operation.
pub fn effective_body_limit(limit: usize, headers: &HeaderMap) -> usize {
    let has_credential = headers.contains_key("x-auth-token")
        || headers.contains_key(AUTHORIZATION)
        || SESSION_COOKIE.is_in(headers);
    if has_credential { limit } else { limit.min(DEFAULT_BODY_LIMIT) }
}

/// Checks the size of a body against the limit of its operation, and its headers.
///
/// # Errors
/// [`BodyTooLarge`] if it is larger.
pub(crate) fn check_body_size(bytes: usize, limit: usize, headers: &HeaderMap) -> Result<(), BodyTooLarge> {
    let allowed = effective_body_limit(limit, headers);
    if bytes > allowed { Err(BodyTooLarge { allowed, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, StatusCode};

    use super::*;
    use crate::http::ApiError;

    const ROUTE: &str = "POST /v1/cloudimages/members";

    #[test]
    fn body_limit_is_small_without_credential() {
        let limit = body_limit(ROUTE);
        let mut headers = HeaderMap::new();
        let refused = ApiError::from(check_body_size(limit, limit, &headers).unwrap_err()).into_response();
        assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert!(
            format!("{:?}", refused.body()).contains("16384 bytes, which is the limit of a request without")
        );
        for (name, value) in [("x-auth-token", "x"), ("authorization", "x"), ("cookie", "a=b; imageshare=x")]
        {
            headers.clear();
            headers.insert(name, HeaderValue::from_static(value));
            assert!(check_body_size(limit, limit, &headers).is_ok());
            assert!(check_body_size(limit + 1, limit, &headers).is_err());
        }
        headers.clear();
        headers.insert("cookie", HeaderValue::from_static("other=imageshare"));
        assert!(check_body_size(limit, limit, &headers).is_err());
        assert_eq!(body_limit("POST /v3/auth/tokens"), DEFAULT_BODY_LIMIT);
    }
}
