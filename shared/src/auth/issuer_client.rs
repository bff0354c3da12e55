//! Asks other servers about tokens, with the HTTP client that the table's SDK brings along anyway: a deployment that
//! trusts a fixed set of keys pays nothing for this, one that asks somebody pays for a connection.

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

/// How long an answer may take, from the connection to the last byte.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);

/// More than any set of keys or any token's description needs.
const MAX_RESPONSE_BYTES: usize = 1024 * 1024;

/// A text that is no address to ask at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected https://HOST[:PORT][/PATH]; http:// only for this machine, since keys and tokens would pass in the clear"
)]
pub struct BadUrl;

/// Returns an address as the log may hold it: without the credentials that it may have, and without query and fragment.
pub fn loggable_address(url: &str) -> &str {
    let address = url.rsplit_once('@').map_or(url, |(_, address)| address);
    address.split(['?', '#']).next().unwrap_or_default()
}

/// A server to ask.
#[derive(Clone)]
pub(super) struct IssuerClient {
    url: String,
    connector: Arc<Connector>,
}

impl fmt::Debug for IssuerClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Issuer").field(&self.url).finish()
    }
}

impl IssuerClient {
    /// The server at that address, whose certificate is of one of those authorities or of the system's.
    pub(super) fn new(url: &str, authorities: &CertificateAuthorities) -> Result<Self, BadUrl> {
        let uri: Uri = url.parse().map_err(|_| BadUrl)?;
        let host = uri.host().ok_or(BadUrl)?;
        let is_here = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if is_here => {}
            _ => return Err(BadUrl),
        }
        let builder = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::Ring));
        let tls = TlsContext::builder().with_trust_store(authorities.trust_store()).build();
        let connector = builder.tls_context(tls.map_err(|_| BadUrl)?).build();
        Ok(Self { url: url.trim_end_matches('/').to_owned(), connector: Arc::new(connector) })
    }

    /// What stands at the address with that end. Returns status and body; otherwise says what is in the way.
    pub(super) async fn get(
        &self,
        end: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(u16, Vec<u8>), String> {
        self.request("GET", end, headers).await
    }

    /// Deletes what stands at the address with that end; otherwise as [`Self::get`].
    pub(super) async fn delete(
        &self,
        end: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(u16, Vec<u8>), String> {
        self.request("DELETE", end, headers).await
    }

    async fn request(
        &self,
        method: &str,
        end: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(u16, Vec<u8>), String> {
        match tokio::time::timeout(REQUEST_TIMEOUT, self.send_with_retry(method, end, headers)).await {
            Ok(answer) => answer.map_err(|problem| format!("{}{end}: {problem}", self.url)),
            Err(_) => {
                Err(format!("{}{end}: no answer within {} seconds", self.url, REQUEST_TIMEOUT.as_secs()))
            }
        }
    }

    async fn send_with_retry(
        &self,
        method: &str,
        end: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(u16, Vec<u8>), String> {
        let answer = match self.send(method, end, headers).await {
            // A connection that was kept may be gone, most likely while a function was frozen.
            Err(_) => self.send(method, end, headers).await?,
            Ok(answer) => answer,
        };
        let status = answer.status().as_u16();
        let (mut body, mut read) = (ByteStream::new(answer.into_body()), Vec::new());
        while let Some(chunk) = body.next().await {
            read.extend_from_slice(&chunk.map_err(|problem| problem.to_string())?);
            if read.len() > MAX_RESPONSE_BYTES {
                return Err("the answer is too long".to_owned());
            }
        }
        Ok((status, read))
    }

    /// Asks, and returns as soon as there is an answer, of which the body may still be on its way.
    async fn send(
        &self,
        method: &str,
        end: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<HttpResponse, String> {
        let mut request = Request::new(SdkBody::empty());
        request.set_method(method).map_err(|problem| problem.to_string())?;
        request.set_uri(format!("{}{end}", self.url)).map_err(|problem| problem.to_string())?;
        for (name, value) in headers {
            request
                .headers_mut()
                .try_insert(*name, (*value).to_owned())
                .map_err(|_| "a header that cannot be")?;
        }
        self.connector.call(request).await.map_err(|problem| format!("{problem:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loggable_address_has_no_credentials_and_no_query() {
        for (url, logged) in [
            ("https://keys.example/jwks.json", "https://keys.example/jwks.json"),
            ("https://user:p@ss@keys.example/jwks.json?key=secret#part", "keys.example/jwks.json"),
        ] {
            assert_eq!(loggable_address(url), logged);
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
