//! Where clients reach the service: what it tells them of its own address.

use lambda_http::Request;

use crate::Settings;

/// Where clients reach the service: as the deployment says, or else as this request was sent.
pub fn address(settings: &Settings, request: &Request) -> String {
    let uri = request.uri();
    let address = match (&settings.public_url, uri.scheme_str(), uri.authority()) {
        (Some(url), _, _) => url.clone(),
        (None, Some(scheme), Some(host)) => format!("{scheme}://{host}"),
        (None, _, _) => String::new(),
    };
    address.trim_end_matches('/').to_owned()
}
