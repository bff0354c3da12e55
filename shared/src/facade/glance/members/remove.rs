//! `DELETE /v2/images/{image_id}/members/{member_id}`: stop sharing an image with one project.

use super::{MemberAction, path_member};
use crate::facade::glance::Error;
use crate::http::{AuthenticatedRequest, HttpResponse, no_content};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "DELETE /v2/images/{image_id}/members/{member_id}";

/// No body out (204).
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    remove(request).await.unwrap_or_else(Error::into_response)
}

async fn remove(request: &AuthenticatedRequest) -> Result<HttpResponse, Error> {
    request.ensure_no_body()?;
    let (image, tenant) = path_member(request)?;
    let removed = usecases::remove_member(&request.app, request.caller(), &image, &tenant).await;
    removed.map_err(|error| MemberAction::Remove.error_for(error))?;
    Ok(no_content())
}
