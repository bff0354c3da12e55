//! `AWS4-HMAC-SHA256`: version 4 of AWS's signature in the header `Authorization`, which the AWS CLI and its SDKs make.
//!
//! The host and every header `x-amz-…` must be signed, since they have the date and the action. The body must be signed.
//! The region of the scope is the one that the client is configured for, and only its service is checked.

use super::authorization::{Fields, decode_hex};
use super::canonical::{self, CanonicalRequest, hex_sha256};
use super::claimed::{ClaimedSignature, ScopeKind, SigningMethod, check_date};
use super::request::{SignatureError, SignedRequest};
use crate::domain::Timestamp;

/// The name of the algorithm in `Authorization`.
pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

const DATE: &str = "x-amz-date";
const BODY_HASH: &str = "x-amz-content-sha256";

const EXPECTED: &str = "Credential=KEY/DATE/REGION/SERVICE/aws4_request, SignedHeaders=NAMES, Signature=HEX after AWS4-HMAC-SHA256";
const EXPECTED_DATE: &str = "X-Amz-Date: 20261121T225355Z";

/// Parses the fields that follow the algorithm's name, of a request to `service`.
///
/// # Errors
/// [`SignatureError`] if a field or signed header is missing or malformed, the scope is of another service, the date is
/// too far from `now`, or the body is not the signed one.
pub(super) fn parse(
    request: &SignedRequest<'_>,
    fields: &str,
    service: &str,
    now: Timestamp,
) -> Result<ClaimedSignature, SignatureError> {
    let incomplete = SignatureError::Incomplete(EXPECTED);
    let fields = Fields::parse(fields, EXPECTED)?;
    let credential = fields.get("Credential").ok_or(incomplete.clone())?;
    let signed_headers = fields.get("SignedHeaders").ok_or(incomplete.clone())?;
    let signature = fields.get("Signature").and_then(decode_hex).ok_or(incomplete.clone())?;
    let amz_headers =
        request.headers.keys().map(http::HeaderName::as_str).filter(|name| name.starts_with("x-amz-"));
    let required: Vec<_> = ["host", DATE].into_iter().chain(amz_headers).collect();
    let names = canonical::parse_signed_headers(signed_headers, &required)?;

    let date = canonical::header_text(request, DATE);
    let date = date.ok_or_else(|| SignatureError::HeaderMissing(DATE.to_owned()))?;
    let timestamp = Timestamp::parse_iso_basic(&date).ok_or(SignatureError::InvalidDate(EXPECTED_DATE))?;
    check_date(timestamp, now)?;

    let (access_key, scope) = credential.split_once('/').ok_or(incomplete.clone())?;
    let parts: Vec<_> = scope.split('/').collect();
    let (day, region) = match *parts.as_slice() {
        [day, region, of_service, terminator]
            if date.split('T').next() == Some(day)
                && of_service == service
                && terminator == ScopeKind::Aws.terminator() =>
        {
            (day, region)
        }
        _ => return Err(incomplete),
    };
    let body_hash = hex_sha256(request.body);
    if canonical::header_text(request, BODY_HASH).is_some_and(|given| given != body_hash) {
        return Err(SignatureError::BodyMismatch);
    }
    let mut pairs = canonical::parse_query(request.query);
    pairs.sort();
    let canonical_request = CanonicalRequest {
        path: canonical::encode_path(request.path),
        query: canonical::encode_query(pairs),
        signed_headers,
        header_names: names,
        body_hash: &body_hash,
        collapses_whitespace: true,
    };
    Ok(ClaimedSignature {
        access_key: access_key.to_owned(),
        nonce: None,
        message: [ALGORITHM, &date, scope, &canonical_request.hash(request)?].join("\n").into_bytes(),
        signature,
        method: SigningMethod::ScopedHmacSha256 {
            kind: ScopeKind::Aws,
            date: day.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
        },
    })
}

/// The region in the scope of a request; `None` if it is not signed in this way.
pub(super) fn region(fields: &str) -> Option<&str> {
    let credential = Fields::parse(fields, EXPECTED).ok()?.get("Credential")?;
    credential.split('/').nth(2)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use aws_credential_types::Credentials;
    use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
    use aws_sigv4::sign::v4;
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::*;
    use crate::auth::signature;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| {
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    /// A signed call of `PutEvents`, as AWS's own crate signs it.
    fn signed_call(body: &[u8]) -> (HeaderMap, Timestamp) {
        let mut pairs = vec![
            ("host".to_owned(), "127.0.0.1:8080".to_owned()),
            ("content-type".to_owned(), "application/x-amz-json-1.1".to_owned()),
            ("x-amz-target".to_owned(), "AWSEvents.PutEvents".to_owned()),
        ];
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(500_000);
        let identity = Credentials::new("key-1", SECRET, None, None, "test").into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region("eu-west-1")
            .name("events")
            .time(now)
            .settings(SigningSettings::default())
            .build()
            .unwrap()
            .into();
        let signable = SignableRequest::new(
            "POST",
            "http://127.0.0.1:8080/events",
            pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())),
            SignableBody::Bytes(body),
        );
        let (instructions, _) = sign(signable.unwrap(), &params).unwrap().into_parts();
        pairs.extend(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())));
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        (headers(&pairs), Timestamp::from_unix_millis(1_800_000_000_000))
    }

    fn call<'a>(headers: &'a HeaderMap, body: &'a [u8]) -> SignedRequest<'a> {
        SignedRequest { method: "POST", path: "/events", query: "", headers, body }
    }

    #[test]
    fn signature_of_the_aws_crate_is_verified() {
        let (headers, now) = signed_call(b"{}");
        let claimed = signature::parse_aws(&call(&headers, b"{}"), "events", now).unwrap().unwrap();
        assert_eq!(claimed.access_key, "key-1");
        assert!(claimed.is_signed_with(SECRET) && !claimed.is_signed_with("another"));
        assert_eq!(signature::aws_region(&headers), Some("eu-west-1"));
        let other = signature::parse_aws(&call(&headers, b"{ }"), "events", now).unwrap().unwrap();
        assert!(!other.is_signed_with(SECRET), "the body is signed");
        let moved = SignedRequest { path: "/other", ..call(&headers, b"{}") };
        assert!(!signature::parse_aws(&moved, "events", now).unwrap().unwrap().is_signed_with(SECRET));
    }

    #[test]
    fn published_example_of_aws_is_verified() {
        let headers = headers(&[
            ("host", "example.amazonaws.com"),
            ("x-amz-date", "20150830T123600Z"),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                 SignedHeaders=host;x-amz-date, \
                 Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
        ]);
        let request = SignedRequest { method: "GET", path: "/", query: "", headers: &headers, body: b"" };
        let now = Timestamp::parse_iso_basic("20150830T123600Z").unwrap();
        let claimed = signature::parse_aws(&request, "service", now).unwrap().unwrap();
        assert!(claimed.is_signed_with(SECRET));
    }

    #[test]
    fn incomplete_or_foreign_signature_is_rejected() {
        let (good, now) = signed_call(b"{}");
        let parse = |headers: &HeaderMap, service: &str, now| {
            signature::parse_aws(&call(headers, b"{}"), service, now).map(|_| ())
        };
        assert!(matches!(parse(&good, "dynamodb", now), Err(SignatureError::Incomplete(_))));
        let late = now.plus(Duration::from_mins(16));
        assert_eq!(parse(&good, "events", late), Err(SignatureError::Expired));
        let mut more = good.clone();
        more.insert("x-amz-security-token", HeaderValue::from_static("t"));
        let unsigned = SignatureError::HeaderNotSigned("x-amz-security-token".to_owned());
        assert_eq!(parse(&more, "events", now), Err(unsigned));
        let mut hashed = good.clone();
        hashed.insert("x-amz-content-sha256", HeaderValue::from_static("UNSIGNED-PAYLOAD"));
        assert!(parse(&hashed, "events", now).is_err());
        let text = good["authorization"].to_str().unwrap();
        for (part, other) in [
            ("SignedHeaders=", "Signed="),
            ("aws4_request", "aws4"),
            ("Credential=key-1/", "Credential="),
            ("host;", ""),
            ("Signature=", "Signature=x"),
        ] {
            let mut bad = good.clone();
            bad.insert("authorization", HeaderValue::from_str(&text.replacen(part, other, 1)).unwrap());
            assert!(parse(&bad, "events", now).is_err(), "{part}");
        }
        assert!(signature::parse_aws(&call(&HeaderMap::new(), b""), "events", now).unwrap().is_none());
    }
}
