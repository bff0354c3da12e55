//! `GET /v1/tenants/{project_id}`: what the directory says of a tenant, for admins.

use http::StatusCode;

use super::{OneWire, tenant_of_path};
use crate::facade::ims::{Error, no_body};
use crate::facade::{Reply, json};
use crate::function::Call;
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "GET /v1/tenants/{project_id}";

/// `{"tenant":{…}}` out.
pub async fn answer(call: &Call) -> Reply {
    show(call).await.unwrap_or_else(Error::into_reply)
}

async fn show(call: &Call) -> Result<Reply, Error> {
    no_body(call)?;
    let entry = usecases::show_tenant(&call.service, call.caller(), &tenant_of_path(call)?).await?;
    Ok(json(StatusCode::OK, &OneWire { tenant: (&entry).into() }))
}
