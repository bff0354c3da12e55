//! `GET /v2/images/{image_id}/members/{member_id}`: show one member, to the image's owner and to that member. A query
//! such as openstacksdk's `?image_id=…` is ignored.

use http::StatusCode;

use super::{MemberAction, MemberJson, path_member};
use crate::facade::glance::Error;
use crate::http::{AuthenticatedRequest, HttpResponse, json_response};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "GET /v2/images/{image_id}/members/{member_id}";

/// The member out.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    show(request).await.unwrap_or_else(Error::into_response)
}

async fn show(request: &AuthenticatedRequest) -> Result<HttpResponse, Error> {
    request.ensure_no_body()?;
    let (image, tenant) = path_member(request)?;
    let member = usecases::show_member(&request.app, request.caller(), &image, &tenant).await;
    let member = member.map_err(|error| MemberAction::Show.error_for(error))?;
    Ok(json_response(StatusCode::OK, &MemberJson::from(&member)))
}
