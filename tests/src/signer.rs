//! Signs requests as the vendors' clients do. Written from `contract/ims.md` 1.8 and `contract/alibaba.md` 3.5 and
//! 3.6; shares no code with the verification.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use imageshare::auth::signature::SignedRequest;
use imageshare::domain::Timestamp;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::api::ApiRequest;

/// An unsigned request.
#[derive(Debug, Clone, Default)]
pub struct UnsignedRequest {
    /// The method.
    pub method: String,
    /// The path, decoded.
    pub path: String,
    /// The query's decoded names and values, in order.
    pub query: Vec<(String, String)>,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// A request as it is sent.
#[derive(Debug, Clone)]
pub struct WireRequest {
    /// The method.
    pub method: String,
    /// The path, as in the request line.
    pub path: String,
    /// The query, as in the request line.
    pub query: String,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// An access key, and the date of its signatures.
#[derive(Debug, Clone)]
pub struct Signer {
    /// The id of the access key.
    pub key_id: String,
    /// The secret of the access key.
    pub secret: String,
    /// The date of the signatures.
    pub date: Timestamp,
}

impl UnsignedRequest {
    /// A request without a body. `target` is a path and a query without escapes.
    pub fn new(method: &str, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            headers: vec![("Host".to_owned(), "images.example".to_owned())],
            body: Vec::new(),
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a JSON body.
    #[must_use]
    pub fn json(self, body: impl ToString) -> Self {
        Self { body: body.to_string().into_bytes(), ..self.header("Content-Type", "application/json") }
    }

    /// The request as it is sent, without a signature.
    pub fn to_wire(&self) -> WireRequest {
        let query: Vec<_> =
            self.query.iter().map(|(n, v)| format!("{}={}", percent_encode(n), percent_encode(v))).collect();
        WireRequest {
            method: self.method.clone(),
            path: encode_path(&self.path),
            query: query.join("&"),
            headers: self.headers.clone(),
            body: self.body.clone(),
        }
    }
}

impl WireRequest {
    /// The headers as a server receives them.
    pub fn header_map(&self) -> HeaderMap {
        let headers = self.headers.iter();
        let typed = |(name, value): &(String, String)| {
            let name: HeaderName = name.parse().expect("a header's name");
            (name, HeaderValue::from_bytes(value.as_bytes()).expect("a header's value"))
        };
        headers.map(typed).collect()
    }

    /// The request as the verification receives it.
    pub fn as_signed_request<'a>(&'a self, headers: &'a HeaderMap) -> SignedRequest<'a> {
        let Self { method, path, query, body, .. } = self;
        SignedRequest { method, path, query, headers, body }
    }

    /// The request as a client sends it.
    pub fn to_api_request(&self) -> ApiRequest {
        let query = if self.query.is_empty() { String::new() } else { format!("?{}", self.query) };
        let request = ApiRequest::new(&self.method, format!("{}{query}", self.path));
        self.headers
            .iter()
            .fold(request, |request, (name, value)| request.header(name, value))
            .bytes(self.body.clone())
    }

    /// Replaces the header of this name.
    pub fn set_header(&mut self, name: &str, value: &str) {
        self.remove_header(name);
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    /// Removes the header of this name.
    pub fn remove_header(&mut self, name: &str) {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }
}

impl Signer {
    /// Signs with `SDK-HMAC-SHA256 Access=`: these headers, and the date.
    pub fn sign_access(&self, request: &UnsignedRequest, also: &[&str]) -> WireRequest {
        let date = self.date.to_iso_basic();
        let request = request.clone().header("X-Sdk-Date", &date);
        let mut pairs = request.query.clone();
        pairs.sort();
        let names = signed_header_names(also, &["x-sdk-date"]);
        let hash = canonical_request_hash(
            &request,
            path_with_trailing_slash(&request.path),
            &encode_query(&pairs),
            &names,
            &payload_hash(&request),
        );
        let text = format!("SDK-HMAC-SHA256\n{date}\n{hash}");
        let signature = encode_hex(&hmac_sha256(self.secret.as_bytes(), &text));
        let mut wire = request.to_wire();
        let authorization =
            format!("SDK-HMAC-SHA256 Access={}, SignedHeaders={names}, Signature={signature}", self.key_id);
        wire.set_header("Authorization", &authorization);
        wire
    }

    /// Signs with `SDK-HMAC-SHA256 Credential=`: these headers, and the date.
    pub fn sign_credential(
        &self,
        request: &UnsignedRequest,
        also: &[&str],
        region: &str,
        service: &str,
    ) -> WireRequest {
        let date = self.date.to_iso_basic();
        let request = request.clone().header("X-Sdk-Date", &date);
        let mut first = Vec::<(String, String)>::new();
        for pair in &request.query {
            if !first.iter().any(|(name, _)| *name == pair.0) {
                first.push(pair.clone());
            }
        }
        first.sort_by_key(|(name, _)| (percent_encode(name).to_lowercase(), percent_encode(name)));
        let names = signed_header_names(also, &["x-sdk-date"]);
        let (query, payload) = if request.method == "POST" && request.body.is_empty() {
            let mut pairs = request.query.clone();
            pairs.sort_by(|a, b| a.0.cmp(&b.0));
            let plus = |text: &str| percent_encode(text).replace("%20", "+");
            let pairs: Vec<_> = pairs.iter().map(|(n, v)| format!("{}={}", plus(n), plus(v))).collect();
            (String::new(), sha256_hex(pairs.join("&").as_bytes()))
        } else {
            (encode_query(&first), payload_hash(&request))
        };
        let hash = canonical_request_hash(
            &request,
            path_with_trailing_slash(&request.path),
            &query,
            &names,
            &payload,
        );
        let scope = format!("{}/{region}/{service}/sdk_request", &date[..8]);
        let text = format!("SDK-HMAC-SHA256\n{date}\n{scope}\n{hash}");
        let key = hmac_sha256(format!("SDK{}", self.secret).as_bytes(), &date[..8]);
        let key = hmac_sha256(&hmac_sha256(&hmac_sha256(&key, region), service), "sdk_request");
        let mut wire = request.to_wire();
        let authorization = format!(
            "SDK-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={}",
            self.key_id,
            encode_hex(&hmac_sha256(&key, &text))
        );
        wire.set_header("Authorization", &authorization);
        wire
    }

    /// Signs with `ACS3-HMAC-SHA256` and this nonce: these headers, and its own.
    pub fn sign_acs3(&self, request: &UnsignedRequest, also: &[&str], nonce: &str) -> WireRequest {
        let request = request
            .clone()
            .header("x-acs-date", &self.date.to_iso_seconds())
            .header("x-acs-signature-nonce", nonce)
            .header("x-acs-content-sha256", &sha256_hex(&request.body));
        let own: Vec<_> = request.headers.iter().map(|(name, _)| name.to_lowercase()).collect();
        let own: Vec<_> = own.iter().map(String::as_str).filter(|name| name.starts_with("x-acs-")).collect();
        let names = signed_header_names(also, &own);
        let mut pairs = request.query.clone();
        pairs.sort();
        let path = encode_path(&request.path);
        let hash =
            canonical_request_hash(&request, path, &encode_query(&pairs), &names, &sha256_hex(&request.body));
        let signature =
            encode_hex(&hmac_sha256(self.secret.as_bytes(), &format!("ACS3-HMAC-SHA256\n{hash}")));
        let mut wire = request.to_wire();
        let authorization = format!(
            "ACS3-HMAC-SHA256 Credential={},SignedHeaders={names},Signature={signature}",
            self.key_id
        );
        wire.set_header("Authorization", &authorization);
        wire
    }

    /// The parameters of an RPC request with a signature of version 1 and this nonce.
    pub fn sign_rpc(
        &self,
        method: &str,
        parameters: &[(String, String)],
        nonce: &str,
    ) -> Vec<(String, String)> {
        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut all = parameters.to_vec();
        all.extend([
            own("Timestamp", &self.date.to_iso_seconds()),
            own("SignatureNonce", nonce),
            own("SignatureMethod", "HMAC-SHA1"),
            own("SignatureVersion", "1.0"),
            own("SignatureType", ""),
            own("AccessKeyId", &self.key_id),
        ]);
        let mut sorted = all.clone();
        sorted.sort();
        let text = format!("{method}&%2F&{}", percent_encode(&encode_query(&sorted)));
        let mac = Hmac::<Sha1>::new_from_slice(format!("{}&", self.secret).as_bytes()).expect("any key");
        all.push(own("Signature", &STANDARD.encode(mac.chain_update(text).finalize().into_bytes())));
        all
    }
}

fn signed_header_names(also: &[&str], own: &[&str]) -> String {
    let mut names = [also, own].concat();
    names.sort_unstable();
    names.dedup();
    names.join(";")
}

fn canonical_request_hash(
    request: &UnsignedRequest,
    path: String,
    query: &str,
    names: &str,
    payload: &str,
) -> String {
    let mut text = format!("{}\n{path}\n{query}\n", request.method);
    for name in names.split(';') {
        let values = request.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let values: Vec<_> = values.map(|(_, value)| value.trim()).collect();
        writeln!(text, "{name}:{}", values.join(",")).expect("a text");
    }
    write!(text, "\n{names}\n{payload}").expect("a text");
    sha256_hex(text.as_bytes())
}

fn payload_hash(request: &UnsignedRequest) -> String {
    let given = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("x-sdk-content-sha256"));
    given.map_or_else(|| sha256_hex(&request.body), |(_, value)| value.clone())
}

fn encode_query(pairs: &[(String, String)]) -> String {
    let pairs: Vec<_> =
        pairs.iter().map(|(n, v)| format!("{}={}", percent_encode(n), percent_encode(v))).collect();
    pairs.join("&")
}

fn path_with_trailing_slash(path: &str) -> String {
    let path = encode_path(path);
    if path.ends_with('/') { path } else { format!("{path}/") }
}

fn encode_path(path: &str) -> String {
    path.split('/').map(percent_encode).collect::<Vec<_>>().join("/")
}

fn percent_encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(byte.into()),
            _ => write!(encoded, "%{byte:02X}").expect("a text"),
        }
    }
    encoded
}

fn hmac_sha256(key: &[u8], text: &str) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("any key");
    mac.chain_update(text).finalize().into_bytes().to_vec()
}

fn sha256_hex(bytes: &[u8]) -> String {
    encode_hex(&Sha256::digest(bytes))
}

fn encode_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
