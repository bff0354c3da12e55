//! `DELETE /v1/keys/{key_id}/grants/{project_id}`: from now on nothing under the key is shared with the project anew.

use http::StatusCode;

use super::dependents::{MOST, listing};
use super::{DependentsWire, grantee_of_path, key_of_path};
use crate::facade::ims::{Error, no_body};
use crate::facade::{Reply, json};
use crate::function::Call;
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "DELETE /v1/keys/{key_id}/grants/{project_id}";

/// Nothing in, the memberships that rely on the grant out, as [`super::dependents`] lists them: they stay. That there was no
/// such grant is no error, so that who had no answer asks again.
pub async fn answer(call: &Call) -> Reply {
    withdraw(call).await.unwrap_or_else(Error::into_reply)
}

async fn withdraw(call: &Call) -> Result<Reply, Error> {
    no_body(call)?;
    let (key, tenant) = (key_of_path(call)?, grantee_of_path(call)?);
    let (service, caller) = (&call.service, call.caller());
    let listing = listing(caller, &key, &tenant);
    let left = usecases::withdraw_key_grant(service, caller, key, tenant.clone(), MOST).await?;
    Ok(json(StatusCode::OK, &DependentsWire::new(&tenant, &left, &listing)))
}
