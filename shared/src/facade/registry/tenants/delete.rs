//! `DELETE /v1/tenants/{project_id}`: takes a tenant out of the directory.

use super::tenant_of_path;
use crate::facade::ims::{Error, no_body};
use crate::facade::{Reply, no_content};
use crate::function::Call;
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "DELETE /v1/tenants/{project_id}";

/// Nothing in, nothing out; its images and memberships stay as they are.
pub async fn answer(call: &Call) -> Reply {
    delete(call).await.unwrap_or_else(Error::into_reply)
}

async fn delete(call: &Call) -> Result<Reply, Error> {
    no_body(call)?;
    usecases::delete_tenant(&call.service, call.caller(), &tenant_of_path(call)?).await?;
    Ok(no_content())
}
