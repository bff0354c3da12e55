//! An issuer of tokens whose response a test sets, and whose requests it counts.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::LOCATION;
use http::{Request, Response};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};
use tokio::sync::{OwnedRwLockWriteGuard, RwLock};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use crate::http_server::HttpServer;

/// A running issuer.
pub struct Issuer {
    server: HttpServer,
    scheme: &'static str,
    state: Arc<Mutex<State>>,
    gate: Arc<RwLock<()>>,
}

struct State {
    status: u16,
    body: Value,
    requests: Vec<Request<()>>,
}

impl Issuer {
    /// Starts an issuer that returns 404.
    pub async fn start() -> Self {
        Self::serve("http", None).await
    }

    /// The same over TLS, with a certificate for a host name.
    pub async fn start_tls(authority: &CertificateAuthority, name: &str) -> Self {
        Self::serve("https", Some(Arc::new(authority.server_config(name)))).await
    }

    async fn serve(scheme: &'static str, tls: Option<Arc<ServerConfig>>) -> Self {
        let state = Arc::new(Mutex::new(State { status: 404, body: Value::Null, requests: Vec::new() }));
        let gate = Arc::new(RwLock::new(()));
        let (shared, open) = (Arc::clone(&state), Arc::clone(&gate));
        let server = HttpServer::start_with(tls, move |request: Request<Bytes>| {
            let mut state = shared.lock().expect("no panic");
            let response = Response::builder().status(state.status).header(LOCATION, "/jwks.json");
            let response = response.body(Bytes::from(state.body.to_string())).expect("a response");
            state.requests.push(request.map(|_| ()));
            let open = Arc::clone(&open);
            async move {
                let _ = open.read().await;
                response
            }
        });
        Self { server: server.await, scheme, state, gate }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.server.address)
    }

    /// Sets the response to all later requests.
    pub fn set_response(&self, status: u16, body: Value) {
        let mut state = self.state.lock().expect("no panic");
        (state.status, state.body) = (status, body);
    }

    /// Delays responses until the guard is dropped.
    pub async fn block_responses(&self) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.gate).write_owned().await
    }

    /// The requests since the last call.
    pub fn take_requests(&self) -> Vec<Request<()>> {
        std::mem::take(&mut self.state.lock().expect("no panic").requests)
    }
}

/// A certificate authority for one test.
pub struct CertificateAuthority(CertifiedIssuer<'static, KeyPair>);

impl CertificateAuthority {
    /// Creates an authority with a new key.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    /// Its certificate, in PEM.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// The configuration of a server with a certificate of this authority for a host name or an address.
    pub(crate) fn server_config(&self, name: &str) -> ServerConfig {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        ServerConfig::builder_with_provider(Arc::new(tokio_rustls::rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .expect("a certificate of its key")
    }
}

impl Default for CertificateAuthority {
    fn default() -> Self {
        Self::new()
    }
}

/// A key made for these tests, in PKCS #8 and base64.
fn signing_key() -> EncodingKey {
    let der = "MC4CAQAwBQYDK2VwBCIEIA+M9dEvlwWa9FNa/5MD2q9A3MDzSALcUV6c5A2CWhpG";
    EncodingKey::from_ed_der(&STANDARD.decode(der).expect("base64"))
}

/// A JSON Web Key Set that has the issuers' one key under each of these ids.
pub fn key_set(kids: &[&str]) -> Value {
    let key = |kid: &&str| {
        let jwk = Jwk::from_encoding_key(&signing_key(), Algorithm::EdDSA).expect("a public key");
        let mut jwk = serde_json::to_value(jwk).expect("JSON");
        jwk["kid"] = json!(kid);
        jwk
    };
    json!({"keys": kids.iter().map(key).collect::<Vec<_>>()})
}

/// A token with these claims and this key id.
pub fn sign_token(kid: &str, claims: &Value) -> String {
    let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::EdDSA) };
    jsonwebtoken::encode(&header, claims, &signing_key()).expect("claims")
}
