//! The HTTP client for issuers: fetches keys, verifies tokens, and redeems codes.

use std::fmt;
use std::time::Duration;

use http::Uri;

use super::certificate_authorities::CertificateAuthorities;
use super::http_client::{HttpClient, OutgoingRequest};

/// How long a request may take, from the connection to the last byte of the response, retry included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);

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
    http: HttpClient,
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
        if !Self::is_safe_url(url) {
            return Err(BadUrl);
        }
        let http = HttpClient::new(authorities, REQUEST_TIMEOUT).ok_or(BadUrl)?;
        Ok(Self { url: url.trim_end_matches('/').to_owned(), http })
    }

    /// Whether a URL is `https://`, or that of this machine.
    pub(super) fn is_safe_url(url: &str) -> bool {
        let Ok(uri) = url.parse::<Uri>() else { return false };
        let Some(host) = uri.host() else { return false };
        match uri.scheme_str() {
            Some("https") => true,
            Some("http") => ["localhost", "127.0.0.1", "[::1]"].contains(&host),
            _ => false,
        }
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
        self.request("GET", path, headers, String::new()).await
    }

    /// Sends `DELETE`, otherwise as [`Self::get`].
    pub(super) async fn delete(
        &self,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(u16, Vec<u8>), String> {
        self.request("DELETE", path, headers, String::new()).await
    }

    /// Sends `POST` with a body, otherwise as [`Self::get`]. It may be sent twice, so what it does must bear that.
    pub(super) async fn post(
        &self,
        path: &str,
        headers: &[(&'static str, &str)],
        body: String,
    ) -> Result<(u16, Vec<u8>), String> {
        self.request("POST", path, headers, body).await
    }

    async fn request(
        &self,
        method: &'static str,
        path: &str,
        headers: &[(&'static str, &str)],
        body: String,
    ) -> Result<(u16, Vec<u8>), String> {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let url = format!("{}{path}", self.url);
        let request = OutgoingRequest { method, url, headers, body };
        let response = self.http.send(&request).await;
        response.map_err(|problem| format!("{}{path}: {problem}", self.url))
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
