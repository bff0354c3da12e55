//! `ACS3-HMAC-SHA256`: Alibaba's signature in the header `Authorization` (`contract/alibaba.md` 3.5).
//!
//! Every header `x-acs-…` must be signed, since they have the action, version, date and nonce.

use super::authorization::{Fields, decode_hex};
use super::canonical::{self, CanonicalRequest, hex_sha256};
use super::claimed::{ClaimedSignature, SigningMethod, check_date};
use super::request::{SignatureError, SignedRequest};
use crate::domain::Timestamp;

/// The name of the algorithm in `Authorization`.
pub(super) const ALGORITHM: &str = "ACS3-HMAC-SHA256";

const DATE: &str = "x-acs-date";
const NONCE: &str = "x-acs-signature-nonce";
const BODY_HASH: &str = "x-acs-content-sha256";

const EXPECTED: &str = "Credential=KEY,SignedHeaders=NAMES,Signature=HEX after ACS3-HMAC-SHA256";
const EXPECTED_DATE: &str = "x-acs-date: 2026-11-21T22:54:36Z";

/// Parses the fields that follow the algorithm's name.
///
/// # Errors
/// [`SignatureError`] if a field or signed header is missing or malformed, the date is too far from `now`, or the body
/// does not match its hash.
pub(super) fn parse(
    request: &SignedRequest<'_>,
    fields: &str,
    now: Timestamp,
) -> Result<ClaimedSignature, SignatureError> {
    let incomplete = SignatureError::Incomplete(EXPECTED);
    let fields = Fields::parse(fields, EXPECTED)?;
    let access_key = fields.get("Credential").ok_or(incomplete.clone())?;
    let signed_headers = fields.get("SignedHeaders").ok_or(incomplete.clone())?;
    let signature = fields.get("Signature").and_then(decode_hex).ok_or(incomplete)?;
    let acs_headers =
        request.headers.keys().map(http::HeaderName::as_str).filter(|name| name.starts_with("x-acs-"));
    let required: Vec<_> = [DATE, NONCE, BODY_HASH].into_iter().chain(acs_headers).collect();
    let names = canonical::parse_signed_headers(signed_headers, &required)?;

    let header = |name: &str| {
        let text = canonical::header_text(request, name).filter(|text| !text.is_empty());
        text.ok_or_else(|| SignatureError::HeaderMissing(name.to_owned()))
    };
    let date = Timestamp::parse_iso_seconds(&header(DATE)?);
    check_date(date.ok_or(SignatureError::InvalidDate(EXPECTED_DATE))?, now)?;
    let (nonce, body_hash) = (header(NONCE)?, header(BODY_HASH)?);
    if !body_hash.eq_ignore_ascii_case(&hex_sha256(request.body)) {
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
        collapses_whitespace: false,
    };
    Ok(ClaimedSignature {
        access_key: access_key.to_owned(),
        nonce: Some(nonce),
        message: [ALGORITHM, &canonical_request.hash(request)?].join("\n").into_bytes(),
        signature,
        method: SigningMethod::HmacSha256,
    })
}
