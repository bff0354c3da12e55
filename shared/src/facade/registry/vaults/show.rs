//! `GET /v1/vaults/{vault_id}`: a vault, and how much of it is reserved.

use http::StatusCode;

use super::{OneWire, vault_of_path};
use crate::facade::ims::{Error, no_body};
use crate::facade::{Reply, json};
use crate::function::Call;
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "GET /v1/vaults/{vault_id}";

/// `{"vault":{…}}` out.
pub async fn answer(call: &Call) -> Reply {
    show(call).await.unwrap_or_else(Error::into_reply)
}

async fn show(call: &Call) -> Result<Reply, Error> {
    no_body(call)?;
    let vault = usecases::show_vault(&call.service, call.caller(), vault_of_path(call)?).await?;
    Ok(json(StatusCode::OK, &OneWire { vault: (&vault).into() }))
}
