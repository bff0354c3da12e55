//! The URL at which clients reach the service, for links in responses.

use http::Uri;
use lambda_http::Request;

use crate::Settings;

/// The text is not a URL of a scheme and a host alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected http://HOST[:PORT] or https://HOST[:PORT], without a path")]
pub struct BadPublicUrl;

/// Parses the public URL of a deployment.
///
/// # Errors
/// [`BadPublicUrl`] if it is not a scheme and a host alone.
pub fn parse_public_url(text: &str) -> Result<Uri, BadPublicUrl> {
    let uri: Uri = text.parse().map_err(|_| BadPublicUrl)?;
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    if is_web && uri.host().is_some() && uri.path() == "/" && uri.query().is_none() {
        Ok(uri)
    } else {
        Err(BadPublicUrl)
    }
}

/// Returns the URL at which clients reach the service, without a slash at the end: the public URL of the deployment,
/// or else the scheme and host of this request.
pub fn base_url(settings: &Settings, request: &Request) -> String {
    let uri = request.uri();
    let url = match (&settings.public_url, uri.scheme_str(), uri.authority()) {
        (Some(url), _, _) => url.clone(),
        (None, Some(scheme), Some(host)) => format!("{scheme}://{host}"),
        (None, _, _) => String::new(),
    };
    url.trim_end_matches('/').to_owned()
}
