//! Where clients reach the service: what it tells them of its own address.

use http::Uri;
use lambda_http::Request;

use crate::Settings;

/// A text that is no address of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected http://HOST[:PORT] or https://HOST[:PORT], without a path")]
pub struct BadPublicUrl;

/// Reads the address that a deployment's clients use.
///
/// # Errors
/// [`BadPublicUrl`] where it is not a scheme and a host alone.
pub fn parse_public_url(text: &str) -> Result<Uri, BadPublicUrl> {
    let uri: Uri = text.parse().map_err(|_| BadPublicUrl)?;
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    if is_web && uri.host().is_some() && uri.path() == "/" && uri.query().is_none() {
        Ok(uri)
    } else {
        Err(BadPublicUrl)
    }
}

/// Where clients reach the service: as the deployment says, or else as this request was sent.
pub fn base_url(settings: &Settings, request: &Request) -> String {
    let uri = request.uri();
    let address = match (&settings.public_url, uri.scheme_str(), uri.authority()) {
        (Some(url), _, _) => url.clone(),
        (None, Some(scheme), Some(host)) => format!("{scheme}://{host}"),
        (None, _, _) => String::new(),
    };
    address.trim_end_matches('/').to_owned()
}
