//! The directory of tenants: the account of each project, the names of both, and the project's region. Admins write and
//! list it; other callers find only a tenant that they can name exactly.

pub mod delete;
mod error;
pub mod list;
pub mod put;
pub mod show;

use serde::Serialize;

use crate::domain::{DirectoryEntry, ID_FORMAT, TenantId};
use crate::http::{ApiError, AuthenticatedRequest};

/// A tenant in a response.
#[derive(Debug, Serialize)]
struct TenantJson<'a> {
    project_id: &'a str,
    account: &'a str,
    project: &'a str,
    region: &'a str,
}

impl<'a> From<&'a DirectoryEntry> for TenantJson<'a> {
    fn from(entry: &'a DirectoryEntry) -> Self {
        Self {
            project_id: entry.tenant.as_str(),
            account: entry.account.as_str(),
            project: entry.project.as_str(),
            region: entry.region.as_str(),
        }
    }
}

/// A response with one tenant.
#[derive(Debug, Serialize)]
struct TenantBody<'a> {
    tenant: TenantJson<'a>,
}

/// The tenant of the path.
fn path_tenant(request: &AuthenticatedRequest) -> Result<TenantId, ApiError> {
    let id = request.path_parameter("project_id").parse();
    id.map_err(|_| ApiError::bad_request("IMG.0067", format!("project_id: expected {ID_FORMAT}.")))
}
