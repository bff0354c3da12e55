//! `GET /v1/keys/{key_id}/grants/{project_id}`: whether a project may use a key, and since when.

use http::StatusCode;

use super::{OneWire, Wire, grantee_of_path, key_of_path};
use crate::facade::ims::{Error, no_body};
use crate::facade::{Reply, json};
use crate::function::Call;
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "GET /v1/keys/{key_id}/grants/{project_id}";

/// `{"grant":{…}}` out.
pub async fn answer(call: &Call) -> Reply {
    show(call).await.unwrap_or_else(Error::into_reply)
}

async fn show(call: &Call) -> Result<Reply, Error> {
    no_body(call)?;
    let (key, tenant) = (key_of_path(call)?, grantee_of_path(call)?);
    let grant = usecases::show_key_grant(&call.service, call.caller(), key.clone(), tenant).await?;
    Ok(json(StatusCode::OK, &OneWire { grant: Wire::new(&key, &grant) }))
}
