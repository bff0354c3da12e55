//! A signature as a request claims to bear it, and how it is verified.

use std::time::Duration;

use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::Sha256;

use super::request::SignatureError;
use crate::domain::Timestamp;

/// How far the date of a signed request may be from this server's clock, either way.
pub const MAX_CLOCK_SKEW: Duration = Duration::from_mins(15);

/// How long a nonce must be remembered: a request may come this long after it was first seen, if its date was as far in
/// the future as is accepted.
pub const NONCE_TTL: Duration = MAX_CLOCK_SKEW.saturating_mul(2);

/// What a scope ends with.
pub(super) const SCOPE_TERMINATOR: &str = "sdk_request";

/// What a request says of its signature. Who made it is not known before [`ClaimedSignature::is_signed_with`] says so.
#[derive(Debug)]
pub struct ClaimedSignature {
    /// The id of the access key, as it came: whatever the client wrote.
    pub access_key: String,
    /// What may be used only once, where this kind of signature has it.
    pub nonce: Option<String>,
    pub(super) message: Vec<u8>,
    pub(super) signature: Vec<u8>,
    pub(super) method: SigningMethod,
}

/// How the message is signed.
#[derive(Debug)]
pub(super) enum SigningMethod {
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
                for part in [date, region, service, SCOPE_TERMINATOR] {
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

/// Refuses a date that is too far from now.
pub(super) fn check_date(date: Timestamp, now: Timestamp) -> Result<(), SignatureError> {
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
