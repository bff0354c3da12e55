//! The parsers of signed requests: `SDK-HMAC-SHA256` in both variants, `ACS3-HMAC-SHA256`, and version 1 among the
//! parameters of query and form. The input is a request ([`super::request_text`]), verified at the time that it
//! names.
//!
//! No request verifies for another key, or an hour later. Its content is also signed again in every way, by the
//! tests' own signer, which shares no code with the parsers: each of these verifies, and none with an additional byte
//! in its body.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request};
use imageshare::auth::signature::{self, ClaimedSignature, SignatureError, SignedRequest};
use imageshare::domain::Timestamp;
use imageshare::facade::alibaba::Parameters;

use super::request_text;
use crate::signer::{Signer, UnsignedRequest, WireRequest};

const SECRET: &str = "sk-own1";

/// The headers that the signers set.
const SIGNATURE_FIELDS: [&str; 10] = [
    "AccessKeyId",
    "Signature",
    "SignatureMethod",
    "SignatureNonce",
    "SignatureType",
    "SignatureVersion",
    "Timestamp",
    "authorization",
    "x-sdk-content-sha256",
    "x-sdk-date",
];

/// Verifies a request as it came, and signed again.
pub fn run(input: &[u8]) -> bool {
    let Some(request) = request_text::parse_request(input) else { return false };
    let parameters = parameters(&request);
    let now = request_date(request.headers(), &parameters);
    let wire = as_signed_request(&request);
    for later in [Duration::ZERO, Duration::from_hours(1)] {
        for read in [
            signature::parse(&wire, now.plus(later)),
            signature::parse_rpc(&wire, &parameters, now.plus(later)),
        ] {
            let Ok(Some(signed)) = read else { continue };
            assert!(later.is_zero(), "a request verifies an hour later");
            assert!(!signed.is_signed_with("the secret of another key"));
            signed.is_signed_with(SECRET);
        }
    }
    check_resigned(&strip_signature(&request, &parameters), now);
    true
}

fn check_resigned(request: &UnsignedRequest, now: Timestamp) {
    let signer = Signer { key_id: "ak-own1".to_owned(), secret: SECRET.to_owned(), date: now };
    let names: Vec<_> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
    let collapsed = collapse_header_spaces(request);
    for wire in [
        signer.sign_access(request, &names),
        signer.sign_credential(&collapsed, &names, "", ""),
        signer.sign_credential(&collapsed, &names, "eu-de", "ims"),
    ] {
        check_signature(&wire, |wire| signature::parse(wire, now));
    }
    check_signature(&signer.sign_acs3(request, &names, "a-nonce"), |wire| {
        signature::parse_rpc(wire, &[], now)
    });
    let all = signer.sign_rpc(&request.method, &request.query, "a-nonce");
    let (headers, method) = (HeaderMap::new(), request.method.as_str());
    let wire = SignedRequest { method, path: "/", query: "", headers: &headers, body: b"" };
    assert!(is_valid(signature::parse_rpc(&wire, &all, now)), "{all:?}");
}

/// The request with single spaces in its headers, as the signer of the scoped variant expects them.
fn collapse_header_spaces(request: &UnsignedRequest) -> UnsignedRequest {
    let mut request = request.clone();
    for (_, value) in &mut request.headers {
        *value = value.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    }
    request
}

/// The request verifies as it was signed, and not with another body.
fn check_signature(
    wire: &WireRequest,
    read: impl Fn(&SignedRequest<'_>) -> Result<Option<ClaimedSignature>, SignatureError>,
) {
    let headers = wire.header_map();
    let signed = wire.as_signed_request(&headers);
    assert!(is_valid(read(&signed)), "{wire:?}");
    let longer = [signed.body, b" "].concat();
    assert!(!is_valid(read(&SignedRequest { body: &longer, ..signed })), "another body verifies");
}

fn is_valid(read: Result<Option<ClaimedSignature>, SignatureError>) -> bool {
    read.is_ok_and(|signed| signed.is_some_and(|signed| signed.is_signed_with(SECRET)))
}

fn as_signed_request(request: &Request<Bytes>) -> SignedRequest<'_> {
    SignedRequest {
        method: request.method().as_str(),
        path: request.uri().path(),
        query: request.uri().query().unwrap_or_default(),
        headers: request.headers(),
        body: request.body(),
    }
}

/// The parameters of query and form; empty if they cannot be parsed.
fn parameters(request: &Request<Bytes>) -> Vec<(String, String)> {
    let read = Parameters::parse(request.uri().query().unwrap_or_default(), Some(request.body()));
    read.map(|read| read.pairs().to_vec()).unwrap_or_default()
}

/// The time that a request names, or a fixed one.
fn request_date(headers: &HeaderMap, parameters: &[(String, String)]) -> Timestamp {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let parameter = parameters.iter().find(|(name, _)| name == "Timestamp").map(|(_, value)| value.as_str());
    let named = [
        header("x-sdk-date").and_then(Timestamp::parse_iso_basic),
        header("x-acs-date").and_then(Timestamp::parse_iso_seconds),
        parameter.and_then(Timestamp::parse_iso_seconds),
    ];
    named.into_iter().flatten().next().unwrap_or(Timestamp::from_unix_millis(1_795_301_676_000))
}

/// The content of a request, without its signature.
fn strip_signature(request: &Request<Bytes>, parameters: &[(String, String)]) -> UnsignedRequest {
    let is_own = |name: &str| !SIGNATURE_FIELDS.contains(&name) && !name.starts_with("x-acs-");
    let headers = request.headers().iter().filter(|(name, _)| is_own(name.as_str()));
    let headers =
        headers.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
    UnsignedRequest {
        method: request.method().to_string(),
        path: percent_encoding::percent_decode_str(request.uri().path()).decode_utf8_lossy().into_owned(),
        query: parameters.iter().filter(|(name, _)| is_own(name)).cloned().collect(),
        headers: headers.collect(),
        body: request.body().to_vec(),
    }
}
