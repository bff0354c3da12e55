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
mod rpc;
mod sdk_hmac;

use std::time::Duration;

use hmac::{Hmac, Mac};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use sha1::Sha1;
use sha2::Sha256;

use self::authorization::Fields;
pub use self::rpc::is_signed as is_signed_rpc;
use crate::domain::{TenantId, Timestamp};

/// How far the date of a signed request may be from this server's clock, either way.
pub const MAX_CLOCK_SKEW: Duration = Duration::from_mins(15);

/// How long a nonce must be remembered: a request may come this long after it was first seen, if its date was as far in
/// the future as is accepted.
pub const NONCE_TTL: Duration = MAX_CLOCK_SKEW.saturating_mul(2);

/// A request as a signature covers it.
#[derive(Debug, Clone, Copy)]
pub struct SignedRequest<'a> {
    /// The method.
    pub method: &'a str,
    /// The path with its stage, as it came or percent-decoded.
    pub path: &'a str,
    /// The query as it stands in the URL, without the question mark.
    pub query: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The bytes of the body.
    pub body: &'a [u8],
}

/// Why a signed request is not believed. Each message tells the caller what to do; none says anything of the secret, of
/// the right signature, or of what was signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Something that every signature has is missing or cannot be read.
    #[error("the signature is incomplete: expected {0}")]
    Incomplete(&'static str),
    /// An algorithm that is never accepted.
    #[error("the signature's algorithm is not accepted: sign with {accepted}")]
    UnsupportedAlgorithm {
        /// What is.
        accepted: &'static str,
    },
    /// A header that must be covered by the signature is not.
    #[error("the header {0} is not signed: list it in SignedHeaders")]
    HeaderNotSigned(String),
    /// A header is listed as signed, but did not come.
    #[error(
        "the header {0} is listed in SignedHeaders but was not received: send every header that you sign"
    )]
    HeaderMissing(String),
    /// The date cannot be read.
    #[error("the date of the signature cannot be read: expected {0}")]
    InvalidDate(&'static str),
    /// The date is too old, or too far in the future.
    #[error("the signature's date is more than 15 minutes off: check your clock, and sign the request again")]
    Expired,
    /// The body is not the one that was signed.
    #[error("the body is not the one whose hash was signed: send it unchanged")]
    BodyMismatch,
    /// The body was not signed, although it could have been.
    #[error("the body must be signed: UNSIGNED-PAYLOAD is for the data of an image only")]
    UnsignedBody,
    /// There is no such access key.
    #[error("the access key does not exist: check its id, or create a new one")]
    UnknownKey,
    /// The signature is another one than that of this request by this key.
    #[error("the signature does not match: check the secret, and send the request as it was signed")]
    SignatureMismatch,
    /// The access key was disabled.
    #[error("the access key is disabled: use another one")]
    DisabledKey,
    /// The access key was made with a master key that the deployment has given up.
    #[error("the access key is of a master key that is no longer in use: create a new access key")]
    RetiredMasterKey,
    /// The request names a project that the access key does not act for.
    #[error("the access key acts for project {acting} alone: send that in X-Project-Id, or leave it out")]
    ProjectMismatch {
        /// The project of the key.
        acting: TenantId,
    },
    /// The same signed request came before.
    #[error("the nonce was used before: sign every request anew, with a nonce of its own")]
    NonceReused,
}

/// What a request says of its signature. Who made it is not known before [`ClaimedSignature::is_signed_with`] says so.
#[derive(Debug)]
pub struct ClaimedSignature {
    /// The id of the access key, as it came: whatever the client wrote.
    pub access_key: String,
    /// What may be used only once, where this kind of signature has it.
    pub nonce: Option<String>,
    message: Vec<u8>,
    signature: Vec<u8>,
    method: SigningMethod,
}

/// How the message is signed.
#[derive(Debug)]
enum SigningMethod {
    /// HMAC-SHA256 with the secret.
    HmacSha256,
    /// HMAC-SHA256 with a key derived for a day, a region and a service.
    ScopedHmacSha256 { date: String, region: String, service: String },
    /// HMAC-SHA1 with the secret and an ampersand.
    HmacSha1,
}

impl ClaimedSignature {
    /// Whether the holder of that secret has signed the request. Takes the same time whatever the difference.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        match &self.method {
            SigningMethod::HmacSha256 => self.verify_mac(hmac_sha256(secret.as_bytes())),
            SigningMethod::ScopedHmacSha256 { date, region, service } => {
                let mut key = [b"SDK", secret.as_bytes()].concat();
                for part in [date, region, service, sdk_hmac::SCOPE_TERMINATOR] {
                    key = hmac_sha256(&key).chain_update(part).finalize().into_bytes().to_vec();
                }
                self.verify_mac(hmac_sha256(&key))
            }
            SigningMethod::HmacSha1 => {
                let key = [secret.as_bytes(), b"&"].concat();
                new_mac::<Hmac<Sha1>>(&key).chain_update(&self.message).verify_slice(&self.signature).is_ok()
            }
        }
    }

    fn verify_mac(&self, key: Hmac<Sha256>) -> bool {
        key.chain_update(&self.message).verify_slice(&self.signature).is_ok()
    }
}

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

/// Refuses a date that is too far from now.
fn check_date(date: Timestamp, now: Timestamp) -> Result<(), SignatureError> {
    let is_near = now.minus(MAX_CLOCK_SKEW) <= date && date <= now.plus(MAX_CLOCK_SKEW);
    if is_near { Ok(()) } else { Err(SignatureError::Expired) }
}

fn hmac_sha256(key: &[u8]) -> Hmac<Sha256> {
    new_mac(key)
}

/// HMAC takes a key of any length, so that this never fails.
#[expect(clippy::expect_used, reason = "the error cannot occur")]
fn new_mac<M: hmac::digest::KeyInit>(key: &[u8]) -> M {
    M::new_from_slice(key).expect("HMAC takes a key of any length")
}
