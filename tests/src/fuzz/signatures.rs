//! The readers of signed requests: `SDK-HMAC-SHA256` in both variants, `ACS3-HMAC-SHA256`, and version 1 among the parameters of
//! query and form. The input is a request ([`super::message`]), looked at at the time that it names itself.
//!
//! No request is taken for another key's, nor an hour later. What it says is also signed anew in every way by the signer of
//! the tests, which shares nothing with the reader: each of these is believed, and none with a byte more in its body.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request};
use imageshare::auth::signature::{self, SignatureFault, Signed, SignedRequest};
use imageshare::domain::Timestamp;
use imageshare::facade::alibaba::Parameters;

use super::message;
use crate::signer::{Signer, Unsigned, Wire};

const SECRET: &str = "sk-own1";

/// What the signers write themselves.
const OF_SIGNATURES: [&str; 10] = [
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

/// Looks at a request as it came and as it is when it is signed anew.
pub fn run(input: &[u8]) -> bool {
    let Some(request) = message::read(input) else { return false };
    let parameters = parameters(&request);
    let now = date(request.headers(), &parameters);
    let wire = as_signed(&request);
    for later in [Duration::ZERO, Duration::from_hours(1)] {
        for read in [
            signature::read(&wire, now.plus(later)),
            signature::read_rpc(&wire, &parameters, now.plus(later)),
        ] {
            let Ok(Some(signed)) = read else { continue };
            assert!(later.is_zero(), "a request of an hour ago is believed");
            assert!(!signed.is_by("the secret of another key"));
            signed.is_by(SECRET);
        }
    }
    sign_anew(&unsigned(&request, &parameters), now);
    true
}

fn sign_anew(request: &Unsigned, now: Timestamp) {
    let signer = Signer { key: "ak-own1".to_owned(), secret: SECRET.to_owned(), at: now };
    let names: Vec<_> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
    let collapsed = collapsed(request);
    for wire in [
        signer.access(request, &names),
        signer.credential(&collapsed, &names, "", ""),
        signer.credential(&collapsed, &names, "eu-de", "ims"),
    ] {
        expect(&wire, |wire| signature::read(wire, now));
    }
    expect(&signer.acs3(request, &names, "a-nonce"), |wire| signature::read_rpc(wire, &[], now));
    let all = signer.rpc(&request.method, &request.query, "a-nonce");
    let (headers, method) = (HeaderMap::new(), request.method.as_str());
    let wire = SignedRequest { method, path: "/", query: "", headers: &headers, body: b"" };
    assert!(is_believed(signature::read_rpc(&wire, &all, now)), "{all:?}");
}

/// A request with single spaces in its headers, as the signer of the scoped variant expects them.
fn collapsed(request: &Unsigned) -> Unsigned {
    let mut request = request.clone();
    for (_, value) in &mut request.headers {
        *value = value.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    }
    request
}

/// A request is believed as it was signed, and not with another body.
fn expect(wire: &Wire, read: impl Fn(&SignedRequest<'_>) -> Result<Option<Signed>, SignatureFault>) {
    let headers = wire.header_map();
    let signed = wire.as_signed(&headers);
    assert!(is_believed(read(&signed)), "{wire:?}");
    let longer = [signed.body, b" "].concat();
    assert!(!is_believed(read(&SignedRequest { body: &longer, ..signed })), "another body is believed");
}

fn is_believed(read: Result<Option<Signed>, SignatureFault>) -> bool {
    read.is_ok_and(|signed| signed.is_some_and(|signed| signed.is_by(SECRET)))
}

fn as_signed(request: &Request<Bytes>) -> SignedRequest<'_> {
    SignedRequest {
        method: request.method().as_str(),
        path: request.uri().path(),
        query: request.uri().query().unwrap_or_default(),
        headers: request.headers(),
        body: request.body(),
    }
}

/// The parameters of query and form; none where they cannot be read.
fn parameters(request: &Request<Bytes>) -> Vec<(String, String)> {
    let read = Parameters::read(request.uri().query().unwrap_or_default(), Some(request.body()));
    read.map(|read| read.pairs().to_vec()).unwrap_or_default()
}

/// The time that a request names; one of its own where it names none.
fn date(headers: &HeaderMap, parameters: &[(String, String)]) -> Timestamp {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let parameter = parameters.iter().find(|(name, _)| name == "Timestamp").map(|(_, value)| value.as_str());
    let named = [
        header("x-sdk-date").and_then(Timestamp::parse_basic_text),
        header("x-acs-date").and_then(Timestamp::parse_seconds_text),
        parameter.and_then(Timestamp::parse_seconds_text),
    ];
    named.into_iter().flatten().next().unwrap_or(Timestamp::from_unix_millis(1_795_301_676_000))
}

/// What a request says besides its signature.
fn unsigned(request: &Request<Bytes>, parameters: &[(String, String)]) -> Unsigned {
    let is_own = |name: &str| !OF_SIGNATURES.contains(&name) && !name.starts_with("x-acs-");
    let headers = request.headers().iter().filter(|(name, _)| is_own(name.as_str()));
    let headers =
        headers.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
    Unsigned {
        method: request.method().to_string(),
        path: percent_encoding::percent_decode_str(request.uri().path()).decode_utf8_lossy().into_owned(),
        query: parameters.iter().filter(|(name, _)| is_own(name)).cloned().collect(),
        headers: headers.collect(),
        body: request.body().to_vec(),
    }
}
