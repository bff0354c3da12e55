//! `GET /v3/projects/{project_id}`, `GET /v3/projects?name=` and `GET /v3/auth/projects`: the caller's own project, and
//! projects that it can name. A domain is an account of the directory.
//!
//! The `openstack` command takes a recipient's id or name, and looks for a project of that id first, then for one of
//! that name. After 403 it takes the text as an id; after 404 or an empty list it gives up. So a text that is no
//! project's name in the account is 403 in both calls. One that is a name is 404 as an id, because some versions look
//! for names only then, and is found as a name.
//!
//! Projects cannot be browsed: without a name the list is 403, as in Keystone for all but an administrator. Versions of
//! the command before 9 fail on any project in that list.

use http::StatusCode;
use serde_json::json;

use super::token::{DEFAULT_DOMAIN, Project};
use crate::domain::{DirectoryEntry, Name};
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, Query, json_response};
use crate::usecases;

/// The route of one project.
pub const SHOW_ROUTE: &str = "GET /v3/projects/{project_id}";

/// The route of the search by name.
pub const FIND_ROUTE: &str = "GET /v3/projects";

/// The route of the projects that the caller acts for.
pub const OWN_ROUTE: &str = "GET /v3/auth/projects";

/// A project's id in, `{"project":{…}}` out. `?domain_id=` is the account in which a name is looked up, by default the
/// caller's.
pub async fn handle_show(request: &AuthenticatedRequest) -> HttpResponse {
    show(request).await.unwrap_or_else(ApiError::into_response)
}

async fn show(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let query = Query::parse(request.raw_query())?;
    let project_id = request.path_parameter("project_id");
    if project_id == request.caller().tenant.as_str() {
        let project = own_project(request).await?;
        return Ok(json_response(
            StatusCode::OK,
            &json!({ "project": project.to_json(&request.base_url()) }),
        ));
    }
    match find_by_name(request, &query, project_id).await? {
        Some(_) => Err(ApiError::new(
            StatusCode::NOT_FOUND,
            "IMG.0108",
            format!(
                "{project_id} is the name of a project, not an id. Look up its id by GET /v3/projects?name=."
            ),
        )),
        None => Err(forbidden(request)),
    }
}

/// `?name=` in, `{"projects":[…]}` out. `?domain_id=` is the account, by default the caller's. In IMS a project is
/// named after its region, so the region's name means the caller's project, unless the directory has a project of that
/// name.
pub async fn handle_find(request: &AuthenticatedRequest) -> HttpResponse {
    list(request).await.unwrap_or_else(ApiError::into_response)
}

async fn list(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let query = Query::parse(request.raw_query())?;
    let name = query.text("name").ok_or_else(|| forbidden(request))?;
    let own_id = &request.caller().tenant;
    let project = if name == own_id.as_str() {
        own_project(request).await?
    } else if let Some(entry) = find_by_name(request, &query, name).await? {
        entry.into()
    } else if name == request.app.settings.region {
        Project { name: name.to_owned(), ..own_id.clone().into() }
    } else {
        return Err(forbidden(request));
    };
    Ok(projects_response(request, "/v3/projects", &project))
}

/// No body in, `{"projects":[…]}` out: the one project that the credential acts for.
pub async fn handle_own(request: &AuthenticatedRequest) -> HttpResponse {
    list_own(request).await.unwrap_or_else(ApiError::into_response)
}

async fn list_own(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    Ok(projects_response(request, "/v3/auth/projects", &own_project(request).await?))
}

/// The caller's project, with its names in the directory. One read.
async fn own_project(request: &AuthenticatedRequest) -> Result<Project, ApiError> {
    let entry = usecases::own_entry(&request.app, request.caller()).await?;
    Ok(entry.map_or_else(|| request.caller().tenant.clone().into(), Project::from))
}

/// The project of that name in the account of `?domain_id=`, by default the caller's; `None` also for a malformed name.
/// One read, and another for the caller's own account.
async fn find_by_name(
    request: &AuthenticatedRequest,
    query: &Query,
    name: &str,
) -> Result<Option<DirectoryEntry>, ApiError> {
    let account = match query.text("domain_id").filter(|id| *id != DEFAULT_DOMAIN) {
        None => None,
        Some(account) => match account.parse::<Name>() {
            Ok(account) => Some(account),
            Err(_) => return Ok(None),
        },
    };
    let Ok(name) = name.parse() else { return Ok(None) };
    Ok(usecases::find_project(&request.app, request.caller(), account.as_ref(), &name).await?)
}

fn projects_response(request: &AuthenticatedRequest, path: &str, project: &Project) -> HttpResponse {
    let address = request.base_url();
    let body = json!({
        "projects": [project.to_json(&address)],
        "links": { "self": format!("{address}{path}"), "previous": null, "next": null },
    });
    json_response(StatusCode::OK, &body)
}

/// 403. SDKs show the message to users who have configured a wrong region.
fn forbidden(request: &AuthenticatedRequest) -> ApiError {
    let region = &request.app.settings.region;
    let message = format!(
        "You are not authorized to list projects, or to show any but your own. Name others by their ids, or by their exact names \
         in your account's directory; yours is also called {region}, after this region."
    );
    ApiError::new(StatusCode::FORBIDDEN, "IMG.0026", message)
}
