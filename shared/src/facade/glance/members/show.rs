//! `GET /v2/images/{image_id}/members/{member_id}`: one member, for the image's owner and for that member. A query such
//! as openstacksdk's `?image_id=…` is not looked at.

use http::StatusCode;

use super::{MemberAction, MemberJson, path_member};
use crate::facade::glance::Error;
use crate::http::{AuthenticatedRequest, HttpResponse, json_response};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "GET /v2/images/{image_id}/members/{member_id}";

/// The member out.
pub async fn handle(call: &AuthenticatedRequest) -> HttpResponse {
    show(call).await.unwrap_or_else(Error::into_response)
}

async fn show(call: &AuthenticatedRequest) -> Result<HttpResponse, Error> {
    call.ensure_no_body()?;
    let (image, tenant) = path_member(call)?;
    let member = usecases::show_member(&call.app, call.caller(), &image, &tenant).await;
    let member = member.map_err(|refusal| MemberAction::Show.error_for(refusal))?;
    Ok(json_response(StatusCode::OK, &MemberJson::from(&member)))
}
