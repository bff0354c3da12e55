//! `GET /v2/images/{image_id}`: show an image to every caller that can see it.

use http::StatusCode;

use super::Error;
use super::image::{image_response, match_condition};
use super::request::path_image_id;
use crate::http::{AuthenticatedRequest, HttpResponse};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "GET /v2/images/{image_id}";

/// The image out.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    show(request).await.unwrap_or_else(Error::into_response)
}

async fn show(request: &AuthenticatedRequest) -> Result<HttpResponse, Error> {
    request.ensure_no_body()?;
    let check = match_condition(request)?;
    let image = usecases::show_image(&request.app, request.caller(), &path_image_id(request)?).await?;
    check(&image)?;
    Ok(image_response(StatusCode::OK, &image))
}
