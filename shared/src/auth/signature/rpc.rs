//! Alibaba's signature version 1: HMAC-SHA1 over the parameters, itself sent as a parameter
//! (`contract/alibaba.md` 3.6).
//!
//! SHA-1 is too weak for certificates, but not for HMAC. Clients that have the choice should use `ACS3-HMAC-SHA256`. A
//! parameter without a value is signed like any other.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::canonical;
use super::claimed::{ClaimedSignature, SigningMethod, check_date};
use super::request::SignatureError;
use crate::domain::Timestamp;

const SIGNATURE: &str = "Signature";
const ACCESS_KEY: &str = "AccessKeyId";

const EXPECTED: &str =
    "AccessKeyId, Signature, SignatureMethod, SignatureVersion, SignatureNonce and Timestamp, each once";
const EXPECTED_DATE: &str = "Timestamp=2026-11-21T22:54:36Z";

/// Returns whether the parameters of a request include a signature or an access key.
pub fn is_signed(parameters: &[(String, String)]) -> bool {
    parameters.iter().any(|(name, _)| name == SIGNATURE || name == ACCESS_KEY)
}

/// Returns the access key that the parameters name.
pub(super) fn claimed_access_key(parameters: &[(String, String)]) -> Option<&str> {
    parameters.iter().find(|(name, _)| name == ACCESS_KEY).map(|(_, id)| id.as_str())
}

/// Parses the signature in the parameters of query and form, decoded.
///
/// # Errors
/// [`SignatureError`] if a parameter is missing, repeated or malformed, or the date is too far from `now`.
pub(super) fn parse(
    method: &str,
    parameters: &[(String, String)],
    now: Timestamp,
) -> Result<ClaimedSignature, SignatureError> {
    let incomplete = SignatureError::Incomplete(EXPECTED);
    let single = |name: &str| {
        let mut values = parameters.iter().filter(|(other, value)| other == name && !value.is_empty());
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Ok(value.as_str()),
            _ => Err(incomplete.clone()),
        }
    };
    let (access_key, nonce) = (single(ACCESS_KEY)?, single("SignatureNonce")?);
    if (single("SignatureMethod")?, single("SignatureVersion")?) != ("HMAC-SHA1", "1.0") {
        return Err(SignatureError::UnsupportedAlgorithm {
            accepted: "SignatureMethod HMAC-SHA1 and SignatureVersion 1.0, or with ACS3-HMAC-SHA256",
        });
    }
    let signature = STANDARD.decode(single(SIGNATURE)?).map_err(|_| incomplete.clone())?;
    let date = Timestamp::parse_iso_seconds(single("Timestamp")?);
    check_date(date.ok_or(SignatureError::InvalidDate(EXPECTED_DATE))?, now)?;

    let mut signed: Vec<_> = parameters.iter().filter(|(name, _)| name != SIGNATURE).collect();
    signed.sort();
    let query = canonical::encode_query(signed.iter().map(|(name, value)| (name, value)));
    Ok(ClaimedSignature {
        access_key: access_key.to_owned(),
        nonce: Some(nonce.to_owned()),
        message: format!("{method}&%2F&{}", canonical::encode(&query)).into_bytes(),
        signature,
        method: SigningMethod::HmacSha1,
    })
}
