//! How large the body of a request may be. `infra/openapi.yaml` states the limits (`x-imageshare-body-limit`); the local
//! gateway holds requests to them, and on AWS, where a gateway has one limit for all, the functions do.

use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};

use crate::facade::{glance, ims};
use crate::http::{HttpResponse, error_response};

/// The limit, in bytes, of an operation that states none; and of every request that carries no credential, whose body may
/// be that of a login.
pub const DEFAULT_BODY_LIMIT: usize = 16 * 1024;

/// The operations that state their limit: lists of 100 images and 100 names, and an image's 16 KiB, both in any spelling of
/// JSON.
const ROUTE_LIMITS: [(&str, usize); 4] = [
    (ims::share::ROUTE, 128 * 1024),
    (ims::unshare::ROUTE, 128 * 1024),
    (glance::create::ROUTE, 128 * 1024),
    (glance::update::ROUTE, 128 * 1024),
];

/// The limit of a route's body, in bytes, where the request carries a credential.
pub fn body_limit(route: &str) -> usize {
    ROUTE_LIMITS.iter().find(|(known, _)| *known == route).map_or(DEFAULT_BODY_LIMIT, |(_, limit)| *limit)
}

/// The answer, 413, to a body of more bytes than a request of that route and with those headers may have; none where it is
/// small enough.
pub(super) fn reject_large_body(bytes: usize, route: &str, headers: &HeaderMap) -> Option<HttpResponse> {
    let limit = body_limit(route);
    let allowed = effective_body_limit(limit, headers);
    (bytes > allowed).then(|| body_too_large(allowed, limit))
}

/// The limit of a body of a request with those headers, where `limit` is that of its operation.
pub fn effective_body_limit(limit: usize, headers: &HeaderMap) -> usize {
    let has_credential = headers.contains_key("x-auth-token") || headers.contains_key(AUTHORIZATION);
    if has_credential { limit } else { limit.min(DEFAULT_BODY_LIMIT) }
}

/// The answer to a body of more bytes than `allowed`, where `limit` is that of the operation.
pub fn body_too_large(allowed: usize, limit: usize) -> HttpResponse {
    let message = if allowed < limit {
        format!(
            "The body is larger than {allowed} bytes, which is the limit of a request without a credential. Send a token in X-Auth-Token, or sign the request."
        )
    } else {
        format!(
            "The body is larger than {allowed} bytes, which is the limit of this operation. Split it into several requests; the data of images live elsewhere."
        )
    };
    error_response(StatusCode::PAYLOAD_TOO_LARGE, "IMG.0001", &message)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn body_limit_is_small_without_credential() {
        let limit = body_limit(ims::share::ROUTE);
        let mut headers = HeaderMap::new();
        let refused = reject_large_body(limit, ims::share::ROUTE, &headers).unwrap();
        assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert!(
            format!("{:?}", refused.body()).contains("16384 bytes, which is the limit of a request without")
        );
        for name in ["x-auth-token", "authorization"] {
            headers.clear();
            headers.insert(name, HeaderValue::from_static("x"));
            assert!(reject_large_body(limit, ims::share::ROUTE, &headers).is_none());
            assert!(reject_large_body(limit + 1, ims::share::ROUTE, &headers).is_some());
        }
        assert_eq!(body_limit("POST /v3/auth/tokens"), DEFAULT_BODY_LIMIT);
    }
}
