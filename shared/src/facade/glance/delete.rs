//! `DELETE /v2/images/{image_id}`: delete an image with its memberships.

use super::Error;
use super::request::path_image_id;
use crate::http::{AuthenticatedRequest, HttpResponse, no_content};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "DELETE /v2/images/{image_id}";

/// No body out (204).
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    delete(request).await.unwrap_or_else(Error::into_response)
}

async fn delete(request: &AuthenticatedRequest) -> Result<HttpResponse, Error> {
    request.ensure_no_body()?;
    usecases::delete_image(&request.app, request.caller(), &path_image_id(request)?).await?;
    Ok(no_content())
}
