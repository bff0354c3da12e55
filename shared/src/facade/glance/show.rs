//! `GET /v2/images/{image_id}`: an image, for everybody who can see it.

use http::StatusCode;

use super::Error;
use super::image::reply;
use super::request::{image_id, no_body};
use crate::facade::Reply;
use crate::function::Call;
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "GET /v2/images/{image_id}";

/// The image out.
pub async fn answer(call: &Call) -> Reply {
    show(call).await.unwrap_or_else(Error::into_reply)
}

async fn show(call: &Call) -> Result<Reply, Error> {
    no_body(call)?;
    let image = usecases::show_image(&call.service, call.caller(), &image_id(call)?).await?;
    Ok(reply(StatusCode::OK, &image))
}
