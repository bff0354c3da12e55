//! Alibaba's signature of version 1: HMAC-SHA1 over the parameters, where it stands among them itself
//! (`contract/alibaba.md` 3.6).
//!
//! SHA-1 is too weak for certificates, not for HMAC; who has the choice takes `ACS3-HMAC-SHA256`. A parameter without a
//! value takes part like any other.

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

/// Whether the parameters of a request hold a signature, or some of one.
pub fn is_signed(parameters: &[(String, String)]) -> bool {
    parameters.iter().any(|(name, _)| name == SIGNATURE || name == ACCESS_KEY)
}

/// The access key that the parameters name.
pub(super) fn claimed_access_key(parameters: &[(String, String)]) -> Option<&str> {
    parameters.iter().find(|(name, _)| name == ACCESS_KEY).map(|(_, id)| id.as_str())
}

/// Reads the parameters of query and form, decoded.
pub(super) fn parse(
    method: &str,
    parameters: &[(String, String)],
    now: Timestamp,
) -> Result<ClaimedSignature, SignatureError> {
    let incomplete = SignatureError::Incomplete(EXPECTED);
    let one = |name: &str| {
        let mut values = parameters.iter().filter(|(known, value)| known == name && !value.is_empty());
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Ok(value.as_str()),
            _ => Err(incomplete.clone()),
        }
    };
    let (access_key, nonce) = (one(ACCESS_KEY)?, one("SignatureNonce")?);
    if (one("SignatureMethod")?, one("SignatureVersion")?) != ("HMAC-SHA1", "1.0") {
        return Err(SignatureError::UnsupportedAlgorithm {
            accepted: "SignatureMethod HMAC-SHA1 and SignatureVersion 1.0, or with ACS3-HMAC-SHA256",
        });
    }
    let signature = STANDARD.decode(one(SIGNATURE)?).map_err(|_| incomplete.clone())?;
    let moment = Timestamp::parse_iso_seconds(one("Timestamp")?);
    check_date(moment.ok_or(SignatureError::InvalidDate(EXPECTED_DATE))?, now)?;

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
