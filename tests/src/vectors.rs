//! The signed requests that were recorded from real clients (`contract/gateway.md` E), as they came over the wire.

use http::HeaderMap;
use imageshare::auth::signature::{self, SignatureFault};
use imageshare::domain::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::signer::{Signer, Unsigned, Wire};

/// The secret that signed all of them.
pub const SECRET: &str = "sk-own1";

/// A recorded request.
#[derive(Debug, Clone)]
pub struct Vector {
    /// What it is called.
    pub name: String,
    /// The request.
    pub wire: Wire,
}

impl Vector {
    /// All of them.
    pub fn all() -> Vec<Self> {
        include_str!("../vectors/signature-vectors.jsonl").lines().map(Self::read).collect()
    }

    fn read(line: &str) -> Self {
        let vector: Value = serde_json::from_str(line).expect("a line of JSON");
        let text = |name: &str| vector[name].as_str().expect("a text").to_owned();
        let target = text("target");
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let headers = vector["headers"].as_object().into_iter().flatten();
        let headers = headers.map(|(name, value)| (name.clone(), value.as_str().expect("a text").to_owned()));
        let wire = Wire {
            method: text("method"),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: headers.collect(),
            body: text("body").into_bytes(),
        };
        Self { name: text("name"), wire }
    }

    /// Whether its signature stands among its parameters.
    pub fn is_rpc(&self) -> bool {
        self.wire.query.contains("SignatureMethod=")
    }

    /// Whether it is of one of Alibaba's two forms.
    pub fn is_alibaba(&self) -> bool {
        self.name.starts_with("ALI")
    }

    /// When it was signed.
    pub fn date(&self) -> Timestamp {
        let header = |name: &str| {
            let found = self.wire.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.as_str())
        };
        let sdk = header("x-sdk-date").and_then(Timestamp::parse_basic_text);
        let acs = header("x-acs-date").and_then(Timestamp::parse_seconds_text);
        let own = || {
            let parameters = parameters(&self.wire.query);
            let (_, date) = parameters.iter().find(|(name, _)| name == "Timestamp")?;
            Timestamp::parse_seconds_text(date)
        };
        sdk.or(acs).or_else(own).expect("a date")
    }

    /// What it says, signed anew with the same headers signed.
    pub fn signed_by(&self, signer: &Signer) -> Wire {
        let wire = &self.wire;
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
        let mut request = Unsigned {
            method: wire.method.clone(),
            path: wire.path.clone(),
            query: parameters(&wire.query),
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
            request.query = signer.rpc(&request.method, &request.query, &self.name);
            request.wire()
        } else if self.is_alibaba() {
            signer.acs3(&request, &names, &self.name)
        } else if authorization.contains("Credential=") {
            signer.credential(&request, &names, "", "")
        } else {
            signer.access(&request, &names)
        }
    }

    /// What comes of it at that time with that secret: why it is refused, or whether the secret signed it.
    pub fn check(&self, secret: &str, now: Timestamp) -> Result<bool, SignatureFault> {
        self.check_with(&self.wire.header_map(), secret, now)
    }

    /// The same, with the headers as a server has them.
    pub fn check_with(
        &self,
        headers: &HeaderMap,
        secret: &str,
        now: Timestamp,
    ) -> Result<bool, SignatureFault> {
        let request = self.wire.as_signed(headers);
        let signed = if self.is_alibaba() {
            signature::read_rpc(&request, &parameters(&self.wire.query), now)
        } else {
            signature::read(&request, now)
        };
        signed.map(|signed| signed.is_some_and(|signed| signed.is_by(secret)))
    }
}

/// What comes of a request at that time with that secret: why it is refused, or whether the secret signed it.
pub fn check(wire: &Wire, is_alibaba: bool, secret: &str, now: Timestamp) -> Result<bool, SignatureFault> {
    let name = if is_alibaba { "ALI" } else { "HW" }.to_owned();
    Vector { name, wire: wire.clone() }.check(secret, now)
}

/// The parameters of a query, decoded, in their order.
pub fn parameters(query: &str) -> Vec<(String, String)> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.map(|(name, value)| (decoded(name), decoded(value))).collect()
}
