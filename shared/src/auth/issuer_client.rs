//! The HTTP client for issuers: fetches keys and verifies tokens.
//!
//! It is the client that DynamoDB's SDK brings along, so that it adds no dependency. A deployment with a configured
//! key set opens no connection.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, TlsContext, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::http::Request;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use http::Uri;

use super::certificate_authorities::CertificateAuthorities;

/// How long a request may take, from the connection to the last byte of the response, retry included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);

/// The limit of a response: more than any key set or token description needs.
const MAX_RESPONSE_BYTES: usize = 1024 * 1024;

/// The URL is invalid, or it is neither `https://` nor loopback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected https://HOST[:PORT][/PATH]; http:// only for this machine, since keys and tokens would pass in the clear"
)]
pub struct BadUrl;

/// Returns a URL without its credentials, query and fragment, for the log.
pub fn loggable_address(url: &str) -> &str {
    let address = url.rsplit_once('@').map_or(url, |(_, address)| address);
    address.split(['?', '#']).next().unwrap_or_default()
}

/// A client for one issuer. Clones share its connections.
#[derive(Clone)]
pub(super) struct IssuerClient {
    url: String,
    connector: Arc<Connector>,
}

impl fmt::Debug for IssuerClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("IssuerClient").field(&self.url).finish()
    }
}

impl IssuerClient {
    /// Creates a client for a URL, trusting these authorities and the system's. Opens no connection yet.
    ///
    /// # Errors
    /// [`BadUrl`] if the URL is invalid, or it is neither `https://` nor loopback.
    pub(super) fn new(url: &str, authorities: &CertificateAuthorities) -> Result<Self, BadUrl> {
        let uri: Uri = url.parse().map_err(|_| BadUrl)?;
        let host = uri.host().ok_or(BadUrl)?;
        let is_loopback = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if is_loopback => {}
            _ => return Err(BadUrl),
        }
        let builder = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::Ring));
        let tls = TlsContext::builder().with_trust_store(authorities.trust_store()).build();
        let connector = builder.tls_context(tls.map_err(|_| BadUrl)?).build();
        Ok(Self { url: url.trim_end_matches('/').to_owned(), connector: Arc::new(connector) })
    }

    /// Sends `GET` to the client's URL followed by `path`. Returns the status, whatever it is, and the body.
    ///
    /// # Errors
    /// A message for the log if there is no complete response within [`REQUEST_TIMEOUT`].
    pub(super) async fn get(
        &self,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(u16, Vec<u8>), String> {
        self.request("GET", path, headers).await
    }

    /// Sends `DELETE`, otherwise as [`Self::get`].
    pub(super) async fn delete(
        &self,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(u16, Vec<u8>), String> {
        self.request("DELETE", path, headers).await
    }

    async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(u16, Vec<u8>), String> {
        match tokio::time::timeout(REQUEST_TIMEOUT, self.send_with_retry(method, path, headers)).await {
            Ok(response) => response.map_err(|problem| format!("{}{path}: {problem}", self.url)),
            Err(_) => {
                Err(format!("{}{path}: no response within {} seconds", self.url, REQUEST_TIMEOUT.as_secs()))
            }
        }
    }

    async fn send_with_retry(
        &self,
        method: &str,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(u16, Vec<u8>), String> {
        let response = match self.send(method, path, headers).await {
            // A pooled connection may be dead, most likely because the function was frozen. The calls are idempotent.
            Err(_) => self.send(method, path, headers).await?,
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

    /// Sends one request and returns once the headers of the response are here, maybe before its body.
    async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<HttpResponse, String> {
        let mut request = Request::new(SdkBody::empty());
        request.set_method(method).map_err(|problem| problem.to_string())?;
        request.set_uri(format!("{}{path}", self.url)).map_err(|problem| problem.to_string())?;
        for (name, value) in headers {
            request
                .headers_mut()
                .try_insert(*name, (*value).to_owned())
                .map_err(|_| "invalid request header")?;
        }
        self.connector.call(request).await.map_err(|problem| format!("{problem:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loggable_address_has_no_credentials_and_no_query() {
        for (url, expected) in [
            ("https://keys.example/jwks.json", "https://keys.example/jwks.json"),
            ("https://user:p@ss@keys.example/jwks.json?key=secret#part", "keys.example/jwks.json"),
        ] {
            assert_eq!(loggable_address(url), expected);
        }
    }

    #[test]
    fn issuer_url_must_be_https_or_loopback() {
        for good in ["https://keys.example/jwks.json", "http://127.0.0.1:5000", "http://localhost/identity"] {
            assert!(IssuerClient::new(good, &CertificateAuthorities::default()).is_ok(), "{good}");
        }
        for bad in ["", "keys.example", "http://keys.example", "ftp://127.0.0.1", "https://", "/jwks"] {
            assert_eq!(
                IssuerClient::new(bad, &CertificateAuthorities::default()).err(),
                Some(BadUrl),
                "{bad}"
            );
        }
    }
}
