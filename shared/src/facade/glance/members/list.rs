//! `GET /v2/images/{image_id}/members`: with whom an image is shared. The owner sees every member, a member only itself.
//! In one page, whatever `limit` and `marker` say, as in Glance.

use http::StatusCode;
use serde::Serialize;

use super::{Action, Wire, image_of};
use crate::domain::MOST_MEMBERS_PER_IMAGE;
use crate::facade::glance::Error;
use crate::facade::glance::request::no_body;
use crate::facade::{Reply, json};
use crate::function::Call;
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "GET /v2/images/{image_id}/members";

#[derive(Serialize)]
struct Members<'a> {
    members: Vec<Wire<'a>>,
    schema: &'static str,
}

/// `{"members":[…],"schema":"/v2/schemas/members"}` out.
pub async fn answer(call: &Call) -> Reply {
    list(call).await.unwrap_or_else(Error::into_reply)
}

async fn list(call: &Call) -> Result<Reply, Error> {
    no_body(call)?;
    let most = MOST_MEMBERS_PER_IMAGE as usize;
    let page = usecases::list_members(&call.service, call.caller(), &image_of(call)?, None, most).await;
    let page = page.map_err(|refusal| Action::List.refused(refusal))?;
    let members = page.members.iter().map(Wire::from).collect();
    Ok(json(StatusCode::OK, &Members { members, schema: "/v2/schemas/members" }))
}
