//! `GET /v3/projects/{project_id}` and `GET /v3/projects?name=`: the caller's own project.
//!
//! What another project is called, and whether there is one, nobody is told. The answer to that is 403 rather than 404:
//! the `openstack` command asks for the project that it is to share with, goes on with the id that it was given after a
//! 403, and gives up after a 404.

use http::StatusCode;
use serde_json::json;

use super::Error;
use super::error::no_body;
use super::token::project;
use crate::facade::ims::query::Query;
use crate::facade::{Reply, json as reply_json};
use crate::function::Call;

/// The route of one project.
pub const SHOW_ROUTE: &str = "GET /v3/projects/{project_id}";

/// The route of the list.
pub const LIST_ROUTE: &str = "GET /v3/projects";

/// The caller's project in, `{"project":{…}}` out.
pub fn answer_show(call: &Call) -> Reply {
    show(call).unwrap_or_else(Error::into_reply)
}

fn show(call: &Call) -> Result<Reply, Error> {
    no_body(call)?;
    let own = &call.caller().tenant;
    if call.path_parameter("project_id") != own.as_str() {
        return Err(forbidden(&call.service.settings.region));
    }
    let body = json!({ "project": project(own, own.as_str(), &call.address()) });
    Ok(reply_json(StatusCode::OK, &body))
}

/// `?name=` in, `{"projects":[…]}` out. In IMS a project is named after its region, so the region's name is the caller's
/// project as well.
pub fn answer_list(call: &Call) -> Reply {
    list(call).unwrap_or_else(Error::into_reply)
}

fn list(call: &Call) -> Result<Reply, Error> {
    no_body(call)?;
    let query = Query::parse(call.raw_query())?;
    let (own, address) = (&call.caller().tenant, call.address());
    let name = query.text("name").unwrap_or(own.as_str());
    if name != own.as_str() && name != call.service.settings.region {
        return Err(forbidden(&call.service.settings.region));
    }
    let body = json!({
        "projects": [project(own, name, &address)],
        "links": { "self": format!("{address}/v3/projects"), "previous": null, "next": null },
    });
    Ok(reply_json(StatusCode::OK, &body))
}

/// SDKs that ask for the project of a wrong region show their users this.
fn forbidden(region: &str) -> Error {
    let message = format!(
        "You are not authorized to see other projects than your own, or whether there are any. Name them by their ids; \
         yours is also called {region}, after this region."
    );
    Error::new(StatusCode::FORBIDDEN, "IMG.0026", message)
}
