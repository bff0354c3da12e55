//! The calls that move the data of an image: `…/file`, `…/stage` and `…/import`. Clients upload data directly after
//! registering an image. The data live elsewhere, and the errors say so.
//!
//! Refusals do not read the image, so that none reveals which images exist. An upload is 409, as in Glance for an active
//! image. A download is 404: after Glance's 204 for an image without data, clients would save an empty file.
//!
//! openstacksdk, and with it `openstack image save`, writes the body of any response into the image file, whatever the
//! status. So a refused download has no body, unless the client accepts JSON; and its checksum matches no data, which
//! makes that client fail and show the checksum to its user.

use http::StatusCode;
use http::header::{HeaderName, HeaderValue};

use super::Error;
use super::request::path_image_id;
use crate::http::{AuthenticatedRequest, HttpResponse, no_content};
use crate::usecases;

const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");

/// The route of a download.
pub const DOWNLOAD_ROUTE: &str = "GET /v2/images/{image_id}/file";

/// The route of an upload.
pub const UPLOAD_ROUTE: &str = "PUT /v2/images/{image_id}/file";

/// The route of an upload that is imported afterwards.
pub const STAGE_ROUTE: &str = "PUT /v2/images/{image_id}/stage";

/// The route of an import.
pub const IMPORT_ROUTE: &str = "POST /v2/images/{image_id}/import";

/// The checksum of a refused download, as openstacksdk shows it: `checksum mismatch: no-image-data-here-… != …`.
const INVALID_CHECKSUM: &str = "no-image-data-here-they-live-elsewhere";

/// Refuses a download: 404.
pub fn handle_download(request: &AuthenticatedRequest) -> HttpResponse {
    if let Err(error) = request.ensure_no_body() {
        return Error::from(error).into_response();
    }
    let mut response = if accepts_json(request.raw_header("accept").unwrap_or_default()) {
        let message = "There are no image data here: they live elsewhere, and this service keeps only an image's record and its members.";
        Error::new(StatusCode::NOT_FOUND, "IMG.0105", message).into_response()
    } else {
        let mut empty = no_content();
        *empty.status_mut() = StatusCode::NOT_FOUND;
        empty
    };
    response.headers_mut().insert(CONTENT_MD5, HeaderValue::from_static(INVALID_CHECKSUM));
    response
}

/// Whether an `Accept` header names JSON. A wildcard does not count.
fn accepts_json(accept: &[u8]) -> bool {
    let types = accept.split(|byte| *byte == b',').filter_map(|item| item.split(|byte| *byte == b';').next());
    types.into_iter().any(|media_type| media_type.trim_ascii().eq_ignore_ascii_case(b"application/json"))
}

/// Refuses an upload: 409. An empty body is accepted with 204 from a caller that may update the image:
/// `openstack image create` and `glance image-create` upload their standard input unless it is a terminal, and in a
/// script it is empty.
pub async fn handle_upload(request: &AuthenticatedRequest) -> HttpResponse {
    if !request.body().is_empty() {
        return handle_import();
    }
    accept_empty_upload(request).await.unwrap_or_else(Error::into_response)
}

async fn accept_empty_upload(request: &AuthenticatedRequest) -> Result<HttpResponse, Error> {
    usecases::update_image(&request.app, request.caller(), &path_image_id(request)?, |_| Ok::<_, Error>(()))
        .await?;
    Ok(no_content())
}

/// Refuses to stage or import data: 409.
pub fn handle_import() -> HttpResponse {
    let message = "The body was not kept: image data live elsewhere, and this service keeps only an image's record and its members. An image is active without data.";
    Error::new(StatusCode::CONFLICT, "IMG.0105", message).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_explicit_json_accept_header_gets_json() {
        for accept in ["application/json", "text/html, Application/JSON;q=0.5"] {
            assert!(accepts_json(accept.as_bytes()), "{accept}");
        }
        for accept in ["", "*/*", "application/*", "application/octet-stream", "application/json-seq"] {
            assert!(!accepts_json(accept.as_bytes()), "{accept}");
        }
    }
}
