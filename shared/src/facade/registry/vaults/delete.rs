//! `DELETE /v1/vaults/{vault_id}`: forgets a vault of which nothing is reserved.

use super::vault_of_path;
use crate::facade::ims::{Error, no_body};
use crate::facade::{Reply, no_content};
use crate::function::Call;
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "DELETE /v1/vaults/{vault_id}";

/// Nothing in, nothing out. That there is no such vault is no error, so that who had no answer asks again.
pub async fn answer(call: &Call) -> Reply {
    delete(call).await.unwrap_or_else(Error::into_reply)
}

async fn delete(call: &Call) -> Result<Reply, Error> {
    no_body(call)?;
    usecases::delete_vault(&call.service, call.caller(), vault_of_path(call)?).await?;
    Ok(no_content())
}
