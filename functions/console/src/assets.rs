//! The styles, the script and the icon of the pages. Each has the hash of its content in its name, so that a browser keeps it
//! for a year and never has an old one.

use http::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use imageshare::http::HttpResponse;
use lambda_http::Body;

use crate::reply::with_security_headers;

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// A file that pages load.
struct Asset {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
}

/// The response for the asset with that name; `None` if no asset has it.
pub(crate) fn find(name: &str) -> Option<HttpResponse> {
    let asset = ASSETS.iter().find(|asset| asset.name == name)?;
    let mut response = Response::new(Body::Text(asset.text.to_owned()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    Some(with_security_headers(response))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assets_are_small() {
        for asset in &ASSETS {
            let most =
                if asset.name == SCRIPT.trim_start_matches("/console/assets/") { 3_072 } else { 12_288 };
            assert!(asset.text.len() <= most, "{}: {} bytes", asset.name, asset.text.len());
        }
    }
}
