//! `GET /v2/images/{image_id}/members/{member_id}`: one member, for the image's owner and for that member. A query such
//! as openstacksdk's `?image_id=…` is not looked at.

use http::StatusCode;

use super::{Action, Wire, member_of};
use crate::facade::glance::Error;
use crate::facade::glance::request::no_body;
use crate::facade::{Reply, json};
use crate::function::Call;
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "GET /v2/images/{image_id}/members/{member_id}";

/// The member out.
pub async fn answer(call: &Call) -> Reply {
    show(call).await.unwrap_or_else(Error::into_reply)
}

async fn show(call: &Call) -> Result<Reply, Error> {
    no_body(call)?;
    let (image, tenant) = member_of(call)?;
    let member = usecases::show_member(&call.service, call.caller(), &image, &tenant).await;
    let member = member.map_err(|refusal| Action::Show.refused(refusal))?;
    Ok(json(StatusCode::OK, &Wire::from(&member)))
}
