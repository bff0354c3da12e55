//! `DELETE /v1/cloudimages/members`: unshare, in a DELETE with a body (`contract/ims.md` 1.3).

use super::Error;
use super::batch::{Batch, accepted, remembered};
use crate::facade::Reply;
use crate::function::Call;
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "DELETE /v1/cloudimages/members";

/// `{"images":[…],"projects":[…],"accounts":[…]}` in, `{"job_id":"…"}` out.
pub async fn answer(call: &Call) -> Reply {
    unshare(call).await.unwrap_or_else(Error::into_reply)
}

async fn unshare(call: &Call) -> Result<Reply, Error> {
    let batch = Batch::parse(call.body())?;
    let remembered = remembered(call, &batch)?;
    let Batch { images, tenants } = batch;
    Ok(accepted(usecases::unshare(&call.service, call.caller(), images, tenants, remembered).await?))
}
