//! Requests that are signed with an access key instead of carrying a token (`contract/ims.md` 1.8,
//! `contract/alibaba.md` 3.5 and 3.6).
//!
//! Each kind of signature is one file, which parses a request into a [`ClaimedSignature`]: the access key that claims
//! to have signed it, and the message that is signed. They are [`sdk_hmac`] (two algorithms under the one name
//! `SDK-HMAC-SHA256`), [`acs3`], [`rpc`] and [`sigv4`]. Nothing here reads the table: the caller of this module finds the secret
//! of the claimed key and calls [`ClaimedSignature::is_signed_with`].
//!
//! A signature covers what the client sent: the raw bytes of the body, and the raw query of the URL. The path is
//! decoded and re-encoded, since an HTTP API passes it decoded and a function URL does not
//! (`contract/gateway.md` 5.3).
//!
//! A header that is not listed in `SignedHeaders` proves nothing. Some clients do not sign `X-Project-Id`, so it never
//! gives authority, whether signed or not: it may only name the project that the key acts for.

mod acs3;
mod authorization;
mod canonical;
mod claimed;
mod request;
mod rpc;
mod sdk_hmac;
mod sigv4;

use http::HeaderMap;
use http::header::AUTHORIZATION;

use self::authorization::Fields;
pub use self::claimed::{ClaimedSignature, MAX_CLOCK_SKEW, NONCE_TTL};
pub use self::request::{SignatureError, SignedRequest};
pub use self::rpc::is_signed as is_signed_rpc;
use crate::domain::Timestamp;

/// Parses the signature of an IMS or OpenStack request; `None` if the request is not signed.
///
/// # Errors
/// [`SignatureError`] if the signature is incomplete, expired or of another algorithm, or does not cover what it must.
pub fn parse(
    request: &SignedRequest<'_>,
    now: Timestamp,
) -> Result<Option<ClaimedSignature>, SignatureError> {
    match parse_authorization(request.headers)? {
        Some((sdk_hmac::ALGORITHM, parameters)) => sdk_hmac::parse(request, parameters, now).map(Some),
        Some((other, _)) if is_unsupported(other) => {
            Err(SignatureError::UnsupportedAlgorithm { accepted: sdk_hmac::ALGORITHM })
        }
        _ => Ok(None),
    }
}

/// Parses the signature of an Alibaba RPC request; `None` if the request is not signed. `parameters` are those of query
/// and form, decoded.
///
/// # Errors
/// [`SignatureError`] if the signature is incomplete, expired or of another algorithm, or does not cover what it must.
pub fn parse_rpc(
    request: &SignedRequest<'_>,
    parameters: &[(String, String)],
    now: Timestamp,
) -> Result<Option<ClaimedSignature>, SignatureError> {
    match parse_authorization(request.headers)? {
        Some((acs3::ALGORITHM, fields)) => acs3::parse(request, fields, now).map(Some),
        Some((other, _)) if is_unsupported(other) || other == sdk_hmac::ALGORITHM => {
            Err(SignatureError::UnsupportedAlgorithm { accepted: acs3::ALGORITHM })
        }
        _ if rpc::is_signed(parameters) => rpc::parse(request.method, parameters, now).map(Some),
        _ => Ok(None),
    }
}

/// Parses the signature of a request to a service of AWS; `None` if the request is not signed.
///
/// # Errors
/// [`SignatureError`] if the signature is incomplete, expired, of another algorithm or for another service, or does not
/// cover what it must.
pub fn parse_aws(
    request: &SignedRequest<'_>,
    service: &str,
    now: Timestamp,
) -> Result<Option<ClaimedSignature>, SignatureError> {
    match parse_authorization(request.headers)? {
        Some((sigv4::ALGORITHM, fields)) => sigv4::parse(request, fields, service, now).map(Some),
        Some((other, _)) if is_unsupported(other) => {
            Err(SignatureError::UnsupportedAlgorithm { accepted: sigv4::ALGORITHM })
        }
        _ => Ok(None),
    }
}

/// Returns the region that a request to a service of AWS is signed for; `None` if it is not signed so. It can be believed
/// only once the signature is verified.
pub fn aws_region(headers: &HeaderMap) -> Option<&str> {
    match parse_authorization(headers) {
        Ok(Some((sigv4::ALGORITHM, fields))) => sigv4::region(fields),
        _ => None,
    }
}

/// Returns the access key that a request claims to be signed with, for the log; empty if it names none. `parameters`
/// are those of query and form of an Alibaba RPC request.
pub fn claimed_access_key<'a>(request: &SignedRequest<'a>, parameters: &'a [(String, String)]) -> &'a str {
    let in_header = match parse_authorization(request.headers) {
        Ok(Some((sdk_hmac::ALGORITHM | acs3::ALGORITHM | sigv4::ALGORITHM, fields))) => {
            Fields::parse(fields, "fields").ok().and_then(|fields| {
                let scoped_key = fields.get("Credential").and_then(|credential| credential.split('/').next());
                fields.get("Access").or(scoped_key)
            })
        }
        _ => None,
    };
    in_header.or_else(|| rpc::claimed_access_key(parameters)).unwrap_or_default()
}

/// Splits `Authorization` into the name of the algorithm and the rest; `None` if the header is missing or not text.
fn parse_authorization(headers: &HeaderMap) -> Result<Option<(&str, &str)>, SignatureError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(first) = values.next().and_then(|value| value.to_str().ok()) else { return Ok(None) };
    let (scheme, rest) = first.trim().split_once(' ').unwrap_or((first, ""));
    match values.next() {
        Some(_) if [sdk_hmac::ALGORITHM, acs3::ALGORITHM, sigv4::ALGORITHM].contains(&scheme) => {
            Err(SignatureError::Incomplete("one header Authorization"))
        }
        _ => Ok(Some((scheme, rest))),
    }
}

/// Returns whether an algorithm is one of the vendors' signatures, and so not the scheme of a token.
fn is_unsupported(algorithm: &str) -> bool {
    ["SDK-", "V11-", "ACS3-", "AWS4-"].iter().any(|family| algorithm.starts_with(family))
}
