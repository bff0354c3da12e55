//! `SDK-HMAC-SHA256`: two algorithms under one name (`contract/ims.md` 1.8).
//!
//! | | `Access=KEY` (Huawei Cloud's SDKs) | `Credential=KEY/date/region/service/sdk_request` (`gophertelekomcloud`) |
//! |---|---|---|
//! | key | the secret | derived from it for the scope |
//! | order of the query | by name and value | by encoded name, ignoring case |
//! | repeated name | every value | first value only |
//! | white space in headers | unchanged | runs collapse |
//! | POST without a body | as any other | the query is signed as the body |
//!
//! That the second does not sign repeated names is its clients' weakness: an attacker could change which page a read
//! returns. No call that changes anything has parameters in the query.
//!
//! The body must be signed. `UNSIGNED-PAYLOAD`, which the SDKs send for every content type but JSON, is accepted only
//! for an empty body and on routes whose body is image data. The content type cannot decide, since not all clients sign
//! it. Any other value of `X-Sdk-Content-Sha256` must be the hash of the received body.

use super::authorization::{Fields, decode_hex};
use super::canonical::{self, CanonicalRequest, QueryPair, hex_sha256};
use super::claimed::{ClaimedSignature, ScopeKind, SigningMethod, check_date};
use super::request::{SignatureError, SignedRequest};
use crate::domain::Timestamp;

/// The name of both algorithms.
pub(super) const ALGORITHM: &str = "SDK-HMAC-SHA256";

const DATE: &str = "x-sdk-date";
const BODY_HASH: &str = "x-sdk-content-sha256";
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

const EXPECTED: &str = "Access=KEY, SignedHeaders=NAMES, Signature=HEX after SDK-HMAC-SHA256";
const EXPECTED_SCOPE: &str = "Credential=KEY/DATE/REGION/SERVICE/sdk_request with the day of X-Sdk-Date";
const EXPECTED_DATE: &str = "X-Sdk-Date: 20261121T225355Z";

/// Parses the fields that follow the algorithm's name.
///
/// # Errors
/// [`SignatureError`] if a field or signed header is missing or malformed, the date is too far from `now`, or the body
/// is not the signed one.
pub(super) fn parse(
    request: &SignedRequest<'_>,
    parameters: &str,
    now: Timestamp,
) -> Result<ClaimedSignature, SignatureError> {
    let incomplete = SignatureError::Incomplete(EXPECTED);
    let fields = Fields::parse(parameters, EXPECTED)?;
    let signed_headers = fields.get("SignedHeaders").ok_or(incomplete.clone())?;
    let signature = fields.get("Signature").and_then(decode_hex).ok_or(incomplete.clone())?;
    let names = canonical::parse_signed_headers(signed_headers, &[DATE])?;

    let date = canonical::header_text(request, DATE);
    let date = date.ok_or_else(|| SignatureError::HeaderMissing(DATE.to_owned()))?;
    let timestamp = Timestamp::parse_iso_basic(&date).ok_or(SignatureError::InvalidDate(EXPECTED_DATE))?;
    check_date(timestamp, now)?;

    let (access_key, scope) = match (fields.get("Access"), fields.get("Credential")) {
        (Some(access_key), None) => (access_key, None),
        (None, Some(credential)) => {
            let (access_key, scope) = Scope::parse(credential, &date)?;
            (access_key, Some(scope))
        }
        _ => return Err(incomplete),
    };
    let (query, body) = if scope.is_some() { scoped_parts(request) } else { plain_parts(request) };
    let hash = CanonicalRequest {
        path: with_trailing_slash(canonical::encode_path(request.path)),
        query,
        signed_headers,
        header_names: names,
        body_hash: &body_hash(request, &body)?,
        collapses_whitespace: scope.is_some(),
    }
    .hash(request)?;
    let message = match &scope {
        None => [ALGORITHM, &date, &hash].join("\n"),
        Some(scope) => [ALGORITHM, &date, scope.text, &hash].join("\n"),
    };
    Ok(ClaimedSignature {
        access_key: access_key.to_owned(),
        nonce: None,
        message: message.into_bytes(),
        signature,
        method: scope.map_or(SigningMethod::HmacSha256, Scope::into_method),
    })
}

/// Appends a slash if the path has no trailing one: both algorithms sign the path with one.
fn with_trailing_slash(mut path: String) -> String {
    if !path.ends_with('/') {
        path.push('/');
    }
    path
}

fn plain_parts(request: &SignedRequest<'_>) -> (String, Vec<u8>) {
    let mut pairs = canonical::parse_query(request.query);
    pairs.sort();
    (canonical::encode_query(pairs), request.body.to_vec())
}

fn scoped_parts(request: &SignedRequest<'_>) -> (String, Vec<u8>) {
    let mut pairs = canonical::parse_query(request.query);
    if request.method == "POST" && request.body.is_empty() {
        // The values of a repeated name stay in their order.
        pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
        return (String::new(), canonical::encode_query(pairs).replace("%20", "+").into_bytes());
    }
    pairs.sort_by_cached_key(|(name, _)| {
        let name = canonical::encode(name);
        (name.to_ascii_lowercase(), name)
    });
    pairs.dedup_by(|later: &mut QueryPair, first: &mut QueryPair| later.0 == first.0);
    (canonical::encode_query(pairs), request.body.to_vec())
}

/// Returns the body's hash as signed: the client's, or that of `body`, the bytes that are signed as the body.
fn body_hash(request: &SignedRequest<'_>, body: &[u8]) -> Result<String, SignatureError> {
    let hash = hex_sha256(body);
    let Some(given) = canonical::header_text(request, BODY_HASH) else { return Ok(hash) };
    if given == UNSIGNED_PAYLOAD {
        let may_be_unsigned = request.body.is_empty() || is_image_upload(request);
        return if may_be_unsigned { Ok(given) } else { Err(SignatureError::UnsignedBody) };
    }
    if given.eq_ignore_ascii_case(&hash) { Ok(given) } else { Err(SignatureError::BodyMismatch) }
}

/// Returns whether the body is image data, by the only routes that do not take JSON.
fn is_image_upload(request: &SignedRequest<'_>) -> bool {
    let segments: Vec<_> = request.path.split('/').collect();
    request.method == "PUT"
        && matches!(*segments.as_slice(), ["", version, "images", _, "file" | "stage"] if version.starts_with("v2"))
}

/// The day, region and service that a signing key is derived for.
struct Scope<'a> {
    text: &'a str,
    date: &'a str,
    region: &'a str,
    service: &'a str,
}

impl<'a> Scope<'a> {
    /// Parses a credential into access key and scope, whose region and service are empty in practice.
    fn parse(credential: &'a str, date: &str) -> Result<(&'a str, Self), SignatureError> {
        let incomplete = SignatureError::Incomplete(EXPECTED_SCOPE);
        let (access_key, text) = credential.split_once('/').ok_or(incomplete.clone())?;
        match *text.split('/').collect::<Vec<_>>().as_slice() {
            [day, region, service, terminator]
                if terminator == ScopeKind::Sdk.terminator() && date.split('T').next() == Some(day) =>
            {
                Ok((access_key, Self { text, date: day, region, service }))
            }
            _ => Err(incomplete),
        }
    }

    fn into_method(self) -> SigningMethod {
        let owned = str::to_owned;
        SigningMethod::ScopedHmacSha256 {
            kind: ScopeKind::Sdk,
            date: owned(self.date),
            region: owned(self.region),
            service: owned(self.service),
        }
    }
}
