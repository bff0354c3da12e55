//! The directory of tenants: the account of each project, the names of both, the project's region, its organization and
//! its cloud account. Admins write and list it; other callers see their own entry, and find only a tenant that they can
//! name exactly, of which they see neither organization nor cloud account.

pub mod delete;
mod error;
pub mod list;
pub mod put;
pub mod show;

use serde::Serialize;

use crate::domain::{CloudAccountId, DirectoryEntry, ID_FORMAT, OrganizationId, TenantId};
use crate::http::{ApiError, AuthenticatedRequest};

/// A tenant in a response.
#[derive(Debug, Serialize)]
struct TenantJson<'a> {
    project_id: &'a str,
    account: &'a str,
    project: &'a str,
    region: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cloud_account: Option<&'a str>,
}

impl<'a> TenantJson<'a> {
    /// What any caller that knows the names may see.
    fn public(entry: &'a DirectoryEntry) -> Self {
        Self { organization: None, cloud_account: None, ..entry.into() }
    }
}

impl<'a> From<&'a DirectoryEntry> for TenantJson<'a> {
    fn from(entry: &'a DirectoryEntry) -> Self {
        Self {
            project_id: entry.tenant.as_str(),
            account: entry.account.as_str(),
            project: entry.project.as_str(),
            region: entry.region.as_str(),
            organization: entry.organization.as_ref().map(OrganizationId::as_str),
            cloud_account: entry.cloud_account.as_ref().map(CloudAccountId::as_str),
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
