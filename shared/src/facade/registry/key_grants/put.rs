//! `PUT /v1/keys/{key_id}/grants/{project_id}`: lets a project use a key.

use http::StatusCode;

use super::{OneWire, Wire, grantee_of_path, key_of_path};
use crate::facade::ims::{Error, no_body};
use crate::facade::{Reply, json};
use crate::function::Call;
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "PUT /v1/keys/{key_id}/grants/{project_id}";

/// Nothing in, `{"grant":{…}}` out; granting it again changes nothing.
pub async fn answer(call: &Call) -> Reply {
    put(call).await.unwrap_or_else(Error::into_reply)
}

async fn put(call: &Call) -> Result<Reply, Error> {
    no_body(call)?;
    let (key, tenant) = (key_of_path(call)?, grantee_of_path(call)?);
    let grant = usecases::grant_key(&call.service, call.caller(), key.clone(), tenant).await?;
    Ok(json(StatusCode::OK, &OneWire { grant: Wire::new(&key, &grant) }))
}
