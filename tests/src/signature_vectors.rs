//! Signed requests recorded from real clients (`contract/gateway.md` E), as they were sent.

use http::HeaderMap;
use imageshare::auth::signature::{self, SignatureError};
use imageshare::domain::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::signer::{Signer, UnsignedRequest, WireRequest};

/// The secret of all recorded signatures.
pub const SECRET: &str = "sk-own1";

/// A recorded request.
#[derive(Debug, Clone)]
pub struct SignatureVector {
    /// Its name.
    pub name: String,
    /// The request.
    pub request: WireRequest,
}

impl SignatureVector {
    /// Loads all of them.
    pub fn load_all() -> Vec<Self> {
        include_str!("../vectors/signature-vectors.jsonl").lines().map(Self::parse).collect()
    }

    fn parse(line: &str) -> Self {
        let vector: Value = serde_json::from_str(line).expect("a line of JSON");
        let text = |name: &str| vector[name].as_str().expect("a text").to_owned();
        let target = text("target");
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let headers = vector["headers"].as_object().into_iter().flatten();
        let headers = headers.map(|(name, value)| (name.clone(), value.as_str().expect("a text").to_owned()));
        let wire = WireRequest {
            method: text("method"),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: headers.collect(),
            body: text("body").into_bytes(),
        };
        Self { name: text("name"), request: wire }
    }

    /// Whether its signature is among its parameters.
    pub fn is_rpc(&self) -> bool {
        self.request.query.contains("SignatureMethod=")
    }

    /// Whether it has one of Alibaba's two signatures.
    pub fn is_alibaba(&self) -> bool {
        self.name.starts_with("ALI")
    }

    /// When it was signed.
    pub fn date(&self) -> Timestamp {
        let header = |name: &str| {
            let found = self.request.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.as_str())
        };
        let sdk = header("x-sdk-date").and_then(Timestamp::parse_iso_basic);
        let acs = header("x-acs-date").and_then(Timestamp::parse_iso_seconds);
        let own = || {
            let parameters = query_parameters(&self.request.query);
            let (_, date) = parameters.iter().find(|(name, _)| name == "Timestamp")?;
            Timestamp::parse_iso_seconds(date)
        };
        sdk.or(acs).or_else(own).expect("a date")
    }

    /// The same request, signed again by the tests' signer, with the same headers signed.
    pub fn signed_with(&self, signer: &Signer) -> WireRequest {
        let wire = &self.request;
        let found = wire.headers.iter().find(|(name, _)| name == "Authorization");
        let authorization = found.map_or("", |(_, value)| value.as_str());
        let names = authorization.split("SignedHeaders=").nth(1).unwrap_or_default();
        let names: Vec<_> = names.split(',').next().unwrap_or_default().split(';').collect();
        let of_signature = |name: &str| {
            let own = [
                "authorization",
                "x-sdk-date",
                "x-acs-date",
                "x-acs-signature-nonce",
                "x-acs-content-sha256",
            ];
            own.contains(&name.to_ascii_lowercase().as_str())
        };
        let headers = wire.headers.iter().filter(|(name, _)| !of_signature(name));
        let mut request = UnsignedRequest {
            method: wire.method.clone(),
            path: wire.path.clone(),
            query: query_parameters(&wire.query),
            headers: headers.cloned().collect(),
            body: wire.body.clone(),
        };
        if self.is_rpc() {
            let of_signature = [
                "Timestamp",
                "SignatureNonce",
                "SignatureMethod",
                "SignatureVersion",
                "SignatureType",
                "AccessKeyId",
                "Signature",
            ];
            request.query.retain(|(name, _)| !of_signature.contains(&name.as_str()));
            request.query = signer.sign_rpc(&request.method, &request.query, &self.name);
            request.to_wire()
        } else if self.is_alibaba() {
            signer.sign_acs3(&request, &names, &self.name)
        } else if authorization.contains("Credential=") {
            signer.sign_credential(&request, &names, "", "")
        } else {
            signer.sign_access(&request, &names)
        }
    }

    /// Verifies it at a time and with a secret: why it is refused, or whether the signature matches.
    pub fn verify(&self, secret: &str, now: Timestamp) -> Result<bool, SignatureError> {
        self.verify_with_headers(&self.request.header_map(), secret, now)
    }

    /// The headers as a server receives them.
    pub fn verify_with_headers(
        &self,
        headers: &HeaderMap,
        secret: &str,
        now: Timestamp,
    ) -> Result<bool, SignatureError> {
        let request = self.request.as_signed_request(headers);
        let signed = if self.is_alibaba() {
            signature::parse_rpc(&request, &query_parameters(&self.request.query), now)
        } else {
            signature::parse(&request, now)
        };
        signed.map(|signed| signed.is_some_and(|signed| signed.is_signed_with(secret)))
    }
}

/// Verifies a request at a time and with a secret: why it is refused, or whether the signature matches.
pub fn verify_request(
    wire: &WireRequest,
    is_alibaba: bool,
    secret: &str,
    now: Timestamp,
) -> Result<bool, SignatureError> {
    let name = if is_alibaba { "ALI" } else { "HW" }.to_owned();
    SignatureVector { name, request: wire.clone() }.verify(secret, now)
}

/// The decoded parameters of a query, in order.
pub fn query_parameters(query: &str) -> Vec<(String, String)> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.map(|(name, value)| (decoded(name), decoded(value))).collect()
}
