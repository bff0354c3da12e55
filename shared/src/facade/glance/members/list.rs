//! `GET /v2/images/{image_id}/members`: list the members of an image. The owner sees every member, a member only
//! itself. Always one page, whatever `limit` and `marker` are, as in Glance.

use http::StatusCode;
use serde::Serialize;

use super::{MemberAction, MemberJson, path_image};
use crate::domain::MAX_MEMBERS_PER_IMAGE;
use crate::facade::glance::Error;
use crate::http::{AuthenticatedRequest, HttpResponse, json_response};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "GET /v2/images/{image_id}/members";

#[derive(Serialize)]
struct MembersBody<'a> {
    members: Vec<MemberJson<'a>>,
    schema: &'static str,
}

/// `{"members":[…],"schema":"/v2/schemas/members"}` out.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    list(request).await.unwrap_or_else(Error::into_response)
}

async fn list(request: &AuthenticatedRequest) -> Result<HttpResponse, Error> {
    request.ensure_no_body()?;
    let limit = MAX_MEMBERS_PER_IMAGE as usize;
    let page =
        usecases::list_members(&request.app, request.caller(), &path_image(request)?, None, limit).await;
    let page = page.map_err(|error| MemberAction::List.error_for(error))?;
    let members = page.items.iter().map(MemberJson::from).collect();
    Ok(json_response(StatusCode::OK, &MembersBody { members, schema: "/v2/schemas/members" }))
}
