//! The HTTP client under the clients of issuers and of AWS's stores of secrets.
//!
//! It is the client that DynamoDB's SDK brings along, so that it adds no dependency. It opens no connection before its first
//! request.

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, TlsContext, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::http::Request;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;

use super::certificate_authorities::CertificateAuthorities;

/// The limit of a response: more than any key set or token description needs.
const MAX_RESPONSE_BYTES: usize = 1024 * 1024;

/// A client with a timeout. Clones share its connections.
#[derive(Clone)]
pub(super) struct HttpClient {
    connector: Arc<Connector>,
    timeout: Duration,
}

/// A request that can be sent more than once, so an idempotent one.
pub(super) struct OutgoingRequest {
    pub(super) method: &'static str,
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl HttpClient {
    /// Creates a client that trusts these authorities and the system's; `None` if the TLS library rejects them. A request may
    /// take `timeout`, from the connection to the last byte of the response, retry included.
    pub(super) fn new(authorities: &CertificateAuthorities, timeout: Duration) -> Option<Self> {
        let builder = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::Ring));
        let tls = TlsContext::builder().with_trust_store(authorities.trust_store()).build().ok()?;
        Some(Self { connector: Arc::new(builder.tls_context(tls).build()), timeout })
    }

    /// Sends a request. Returns the status, whatever it is, and the body.
    ///
    /// # Errors
    /// A message for the log if there is no complete response in time.
    pub(super) async fn send(&self, request: &OutgoingRequest) -> Result<(u16, Vec<u8>), String> {
        let response = tokio::time::timeout(self.timeout, self.send_with_retry(request)).await;
        response.unwrap_or_else(|_| Err(format!("no response within {} seconds", self.timeout.as_secs())))
    }

    async fn send_with_retry(&self, request: &OutgoingRequest) -> Result<(u16, Vec<u8>), String> {
        let response = match self.send_once(request).await {
            // A pooled connection may be dead, most likely because the function was frozen.
            Err(_) => self.send_once(request).await?,
            Ok(response) => response,
        };
        let status = response.status().as_u16();
        let (mut body, mut read) = (ByteStream::new(response.into_body()), Vec::new());
        while let Some(chunk) = body.next().await {
            read.extend_from_slice(&chunk.map_err(|problem| problem.to_string())?);
            if read.len() > MAX_RESPONSE_BYTES {
                return Err("the response is too long".to_owned());
            }
        }
        Ok((status, read))
    }

    /// Returns once the headers of the response are here, maybe before its body.
    async fn send_once(&self, outgoing: &OutgoingRequest) -> Result<HttpResponse, String> {
        let mut request = Request::new(SdkBody::from(outgoing.body.as_str()));
        request.set_method(outgoing.method).map_err(|problem| problem.to_string())?;
        request.set_uri(outgoing.url.as_str()).map_err(|problem| problem.to_string())?;
        for (name, value) in &outgoing.headers {
            request
                .headers_mut()
                .try_insert(name.clone(), value.clone())
                .map_err(|_| "invalid request header")?;
        }
        self.connector.call(request).await.map_err(|problem| format!("{problem:?}"))
    }
}
