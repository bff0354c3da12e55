//! `POST /v1/cloudimages/members`: share (seed 003, `contract/ims.md` 1.1).

use super::Error;
use super::batch::{Batch, accepted, remembered};
use crate::facade::Reply;
use crate::function::Call;
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "POST /v1/cloudimages/members";

/// `{"images":[…],"projects":[…],"accounts":[…]}` in, `{"job_id":"…"}` out.
pub async fn answer(call: &Call) -> Reply {
    share(call).await.unwrap_or_else(Error::into_reply)
}

async fn share(call: &Call) -> Result<Reply, Error> {
    let batch = Batch::parse(call.body())?;
    let remembered = remembered(call, &batch)?;
    let Batch { images, tenants } = batch;
    Ok(accepted(usecases::share(&call.service, call.caller(), images, tenants, remembered).await?))
}
