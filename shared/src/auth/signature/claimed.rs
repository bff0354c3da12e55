//! A request's signature before it is verified, and its verification.

use std::time::Duration;

use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::Sha256;

use super::request::SignatureError;
use crate::domain::Timestamp;

/// How far the date of a signed request may differ from this server's clock, in either direction.
pub const MAX_CLOCK_SKEW: Duration = Duration::from_mins(15);

/// How long a used nonce is stored. Twice the skew: a request whose date was [`MAX_CLOCK_SKEW`] in the future when it
/// was first received can be replayed for that long.
pub const NONCE_TTL: Duration = MAX_CLOCK_SKEW.saturating_mul(2);

/// A signature as the request states it. It proves nothing until [`ClaimedSignature::is_signed_with`] returns true.
#[derive(Debug)]
pub struct ClaimedSignature {
    /// The id of the access key, exactly as received.
    pub access_key: String,
    /// The nonce, which may be used only once; `None` if this kind of signature has none.
    pub nonce: Option<String>,
    pub(super) message: Vec<u8>,
    pub(super) signature: Vec<u8>,
    pub(super) method: SigningMethod,
}

/// The algorithm that the message is signed with.
#[derive(Debug)]
pub(super) enum SigningMethod {
    /// HMAC-SHA256 with the secret.
    HmacSha256,
    /// HMAC-SHA256 with a key derived for a day, a region and a service.
    ScopedHmacSha256 { kind: ScopeKind, date: String, region: String, service: String },
    /// HMAC-SHA1 with the secret followed by an ampersand.
    HmacSha1,
}

/// Whose scopes a key is derived for: AWS's, or those that others have made after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScopeKind {
    /// AWS.
    Aws,
    /// `gophertelekomcloud`.
    Sdk,
}

impl ScopeKind {
    /// What stands before the secret in the first key.
    fn prefix(self) -> &'static [u8] {
        match self {
            Self::Aws => b"AWS4",
            Self::Sdk => b"SDK",
        }
    }

    /// The last part of a scope.
    pub(super) fn terminator(self) -> &'static str {
        match self {
            Self::Aws => "aws4_request",
            Self::Sdk => "sdk_request",
        }
    }
}

impl ClaimedSignature {
    /// Returns whether the request was signed with this secret. Compares in constant time.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        match &self.method {
            SigningMethod::HmacSha256 => self.verify_mac(hmac_sha256(secret.as_bytes())),
            SigningMethod::ScopedHmacSha256 { kind, date, region, service } => {
                let mut key = [kind.prefix(), secret.as_bytes()].concat();
                for part in [date, region, service, kind.terminator()] {
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

/// Rejects a date that differs from `now` by more than [`MAX_CLOCK_SKEW`].
pub(super) fn check_date(date: Timestamp, now: Timestamp) -> Result<(), SignatureError> {
    let is_near = now.minus(MAX_CLOCK_SKEW) <= date && date <= now.plus(MAX_CLOCK_SKEW);
    if is_near { Ok(()) } else { Err(SignatureError::Expired) }
}

fn hmac_sha256(key: &[u8]) -> Hmac<Sha256> {
    new_mac(key)
}

/// Creates a MAC with a key of any length.
#[expect(clippy::expect_used, reason = "the error cannot occur")]
fn new_mac<M: hmac::digest::KeyInit>(key: &[u8]) -> M {
    M::new_from_slice(key).expect("HMAC takes a key of any length")
}
