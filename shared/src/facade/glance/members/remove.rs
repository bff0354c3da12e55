//! `DELETE /v2/images/{image_id}/members/{member_id}`: stop sharing an image with one project.

use super::{Action, member_of};
use crate::facade::glance::Error;
use crate::facade::glance::request::no_body;
use crate::facade::{Reply, no_content};
use crate::function::Call;
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "DELETE /v2/images/{image_id}/members/{member_id}";

/// Nothing out, with 204.
pub async fn answer(call: &Call) -> Reply {
    remove(call).await.unwrap_or_else(Error::into_reply)
}

async fn remove(call: &Call) -> Result<Reply, Error> {
    no_body(call)?;
    let (image, tenant) = member_of(call)?;
    let removed = usecases::remove_member(&call.service, call.caller(), &image, &tenant).await;
    removed.map_err(|refusal| Action::Remove.refused(refusal))?;
    Ok(no_content())
}
