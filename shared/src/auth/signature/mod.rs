//! Requests that are signed with an access key instead of carrying a token (`contract/ims.md` 1.8, `contract/alibaba.md`
//! 3.5 and 3.6).
//!
//! Each kind of signature is one file, which reads a request and says who claims to have signed it, and what exactly:
//! [`sdk_hmac`] (both algorithms that go by the name `SDK-HMAC-SHA256`), [`acs3`], [`rpc`]. Nothing here reads the table:
//! the caller finds the secret of the claimed key and asks [`ClaimedSignature::is_signed_with`].
//!
//! What is covered by a signature is what the client sent: the raw bytes of the body and the query as it stands in the
//! URL. The path is decoded and encoded anew, since an HTTP API hands it over decoded and a function URL does not
//! (`contract/gateway.md` 5.3).
//!
//! A header that is not listed in `SignedHeaders` proves nothing. `X-Project-Id` is among those in some clients, so it
//! never gives authority, whether signed or not: it may only name the project that the key acts for anyhow.

mod acs3;
mod authorization;
mod canonical;
mod claimed;
mod request;
mod rpc;
mod sdk_hmac;

use http::HeaderMap;
use http::header::AUTHORIZATION;

use self::authorization::Fields;
pub use self::claimed::{ClaimedSignature, MAX_CLOCK_SKEW, NONCE_TTL};
pub use self::request::{SignatureError, SignedRequest};
pub use self::rpc::is_signed as is_signed_rpc;
use crate::domain::Timestamp;

/// What an IMS or OpenStack request says of its signature; `None` where it is not a signed one.
///
/// # Errors
/// The request is signed, but not so that it could be believed.
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

/// What a request of Alibaba's RPC form says of its signature; `None` where it is not a signed one. `parameters` are
/// those of query and form, decoded.
///
/// # Errors
/// The request is signed, but not so that it could be believed.
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

/// The access key that a request claims to be signed with, for the log; empty where it names none. `parameters` are those
/// of query and form of Alibaba's RPC form.
pub fn claimed_access_key<'a>(request: &SignedRequest<'a>, parameters: &'a [(String, String)]) -> &'a str {
    let in_header = match parse_authorization(request.headers) {
        Ok(Some((sdk_hmac::ALGORITHM | acs3::ALGORITHM, fields))) => {
            Fields::parse(fields, "fields").ok().and_then(|fields| {
                let of_scope = fields.get("Credential").and_then(|credential| credential.split('/').next());
                fields.get("Access").or(of_scope)
            })
        }
        _ => None,
    };
    in_header.or_else(|| rpc::claimed_access_key(parameters)).unwrap_or_default()
}

/// The name of the algorithm that `Authorization` begins with, and what follows it; `None` where it is no signature.
fn parse_authorization(headers: &HeaderMap) -> Result<Option<(&str, &str)>, SignatureError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(first) = values.next().and_then(|value| value.to_str().ok()) else { return Ok(None) };
    let (scheme, rest) = first.trim().split_once(' ').unwrap_or((first, ""));
    match values.next() {
        Some(_) if scheme == sdk_hmac::ALGORITHM || scheme == acs3::ALGORITHM => {
            Err(SignatureError::Incomplete("one header Authorization"))
        }
        _ => Ok(Some((scheme, rest))),
    }
}

/// Whether that is a signature of one of the vendors' kinds that are not accepted, or are not accepted here.
fn is_unsupported(algorithm: &str) -> bool {
    ["SDK-", "V11-", "ACS3-", "AWS4-"].iter().any(|family| algorithm.starts_with(family))
}
