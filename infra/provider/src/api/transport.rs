//! One exchange over HTTP: a request, its response, and a time-out.
//!
//! Connections are kept and used again. TLS is rustls with the system's certificate authorities, or those in
//! `SSL_CERT_FILE`. A proxy is taken from `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioTimer};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an unused connection is kept: shorter than gateways do, so that few requests meet a closed one.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
/// More than the longest response, a job with the results of 10,000 pairs.
const MAX_RESPONSE_BYTES: usize = 64 << 20;

/// The connections to one server.
pub(super) struct Transport {
    connections: Connections,
    timeout: Duration,
}

enum Connections {
    Direct(Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
    Proxied(Client<HttpsConnector<Tunnel<HttpConnector>>, Full<Bytes>>),
}

/// A whole response.
pub(super) struct Response {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Why there is no response.
#[derive(Debug)]
pub(super) enum ExchangeError {
    /// There was no connection: nothing was sent.
    NotSent(String),
    /// The connection broke, so it is not known whether the request was executed.
    Lost(String),
    /// The response did not arrive in time.
    TimedOut,
    /// The response is too large to be one of this service.
    TooLarge,
}

impl Transport {
    /// Prepares connections to a server. Sends nothing.
    ///
    /// # Errors
    /// A text if the system has no certificate authorities, or a proxy cannot be used.
    pub(super) fn new(endpoint: &Uri, timeout: Duration) -> Result<Self, String> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let is_encrypted = endpoint.scheme_str() == Some("https");
        let proxy = is_encrypted.then(|| Matcher::from_env().intercept(endpoint)).flatten();
        let tls = if is_encrypted { system_tls()? } else { plain_tls()? };
        let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        let connections = match proxy {
            None => Connections::Direct(client(https.wrap_connector(http))),
            Some(proxy) => {
                if proxy.uri().scheme_str() != Some("http") {
                    return Err(format!("the proxy {} is not http://", proxy.uri()));
                }
                let mut tunnel = Tunnel::new(proxy.uri().clone(), http);
                if let Some(credential) = proxy.basic_auth() {
                    tunnel = tunnel.with_auth(credential.clone());
                }
                Connections::Proxied(client(https.wrap_connector(tunnel)))
            }
        };
        Ok(Self { connections, timeout })
    }

    /// Sends a request, and reads the whole response.
    pub(super) async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Response, ExchangeError> {
        let exchange = tokio::time::timeout(self.timeout, self.exchange_in_any_time(request));
        exchange.await.unwrap_or(Err(ExchangeError::TimedOut))
    }

    async fn exchange_in_any_time(&self, request: Request<Full<Bytes>>) -> Result<Response, ExchangeError> {
        let response = match &self.connections {
            Connections::Direct(client) => client.request(request).await,
            Connections::Proxied(client) => client.request(request).await,
        };
        let response = response.map_err(|error| {
            let problem = root_cause(&error);
            if error.is_connect() { ExchangeError::NotSent(problem) } else { ExchangeError::Lost(problem) }
        })?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_RESPONSE_BYTES).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                ExchangeError::TooLarge
            } else {
                ExchangeError::Lost(root_cause(error.as_ref()))
            }
        })?;
        Ok(Response { status: head.status, headers: head.headers, body: body.to_bytes() })
    }
}

fn client<C>(connector: C) -> Client<C, Full<Bytes>>
where
    C: hyper_util::client::legacy::connect::Connect + Clone,
{
    Client::builder(TokioExecutor::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_timer(TokioTimer::new())
        .build(connector)
}

/// TLS with the system's certificate authorities, which takes some milliseconds to read.
fn system_tls() -> Result<rustls::ClientConfig, String> {
    use hyper_rustls::ConfigBuilderExt;
    let builder = tls_builder()?.with_native_roots();
    let builder =
        builder.map_err(|problem| format!("the system has no certificate authorities: {problem}"))?;
    Ok(builder.with_no_client_auth())
}

/// TLS for a connector that only connects to `http://`.
fn plain_tls() -> Result<rustls::ClientConfig, String> {
    Ok(tls_builder()?.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
}

fn tls_builder() -> Result<rustls::ConfigBuilder<rustls::ClientConfig, rustls::WantsVerifier>, String> {
    let provider = rustls::crypto::ring::default_provider().into();
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    builder.map_err(|problem| problem.to_string())
}

/// The message of an error's root cause, usually the system's.
fn root_cause(error: &dyn Error) -> String {
    let mut root = error;
    while let Some(cause) = root.source() {
        root = cause;
    }
    root.to_string()
}

/// A header's value as text.
pub(super) fn header_text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(HeaderValue::to_str)?.ok().map(str::to_owned)
}
