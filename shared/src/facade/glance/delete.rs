//! `DELETE /v2/images/{image_id}`: delete an image with its memberships.

use super::Error;
use super::request::{image_id, no_body};
use crate::facade::{Reply, no_content};
use crate::function::Call;
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "DELETE /v2/images/{image_id}";

/// Nothing out, with 204.
pub async fn answer(call: &Call) -> Reply {
    delete(call).await.unwrap_or_else(Error::into_reply)
}

async fn delete(call: &Call) -> Result<Reply, Error> {
    no_body(call)?;
    usecases::delete_image(&call.service, call.caller(), &image_id(call)?).await?;
    Ok(no_content())
}
