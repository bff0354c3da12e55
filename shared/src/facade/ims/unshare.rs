//! `DELETE /v1/cloudimages/members`: unshare, in a DELETE with a body (`contract/ims.md` 1.3).

use super::Error;
use super::batch::{Batch, accepted, remembered};
use crate::facade::Reply;
use crate::function::Call;
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "DELETE /v1/cloudimages/members";

/// `{"images":[…],"projects":[…]}` in, `{"job_id":"…"}` out.
pub async fn answer(call: &Call) -> Reply {
    unshare(call).await.unwrap_or_else(Error::into_reply)
}

async fn unshare(call: &Call) -> Result<Reply, Error> {
    let Batch { images, projects } = Batch::parse(call.body())?;
    let remembered = remembered(call, &(&images, &projects))?;
    Ok(accepted(usecases::unshare(&call.service, call.caller(), images, projects, remembered).await?))
}
