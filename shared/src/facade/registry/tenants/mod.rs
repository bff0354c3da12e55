//! The directory of tenants: which account a project belongs to, what both are called, in which region it is. Admins write
//! it and browse it; everybody else finds only whom it can name exactly.

pub mod delete;
mod error;
pub mod list;
pub mod put;
pub mod show;

use serde::Serialize;

use crate::domain::{DirectoryEntry, ID_FORMAT, TenantId};
use crate::http::{ApiError, AuthenticatedRequest};

/// A tenant as it is shown.
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

/// The answer that is about one tenant.
#[derive(Debug, Serialize)]
struct TenantBody<'a> {
    tenant: TenantJson<'a>,
}

/// The tenant of the path.
fn path_tenant(request: &AuthenticatedRequest) -> Result<TenantId, ApiError> {
    let id = request.path_parameter("project_id").parse();
    id.map_err(|_| ApiError::bad_request("IMG.0067", format!("project_id: expected {ID_FORMAT}.")))
}
