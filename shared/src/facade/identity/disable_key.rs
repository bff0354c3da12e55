//! `DELETE /v1/access-keys/{key_id}`: disable an access key of the caller's project, for good.

use super::Error;
use super::error::no_body;
use crate::facade::{Reply, no_content};
use crate::function::Call;
use crate::usecases::{self, KeyRefusal};

/// The operation's route.
pub const ROUTE: &str = "DELETE /v1/access-keys/{key_id}";

/// Nothing in, nothing out; again for a key that is disabled already.
pub async fn answer(call: &Call) -> Reply {
    disable(call).await.unwrap_or_else(Error::into_reply)
}

async fn disable(call: &Call) -> Result<Reply, Error> {
    no_body(call)?;
    // An id that none can have is not found.
    let id = call.path_parameter("key_id").parse().map_err(|_| KeyRefusal::NotFound)?;
    usecases::disable_access_key(&call.service, &call.keyring, call.caller(), &id).await?;
    Ok(no_content())
}
