//! Key grants: which projects may use a key of the caller's project (seed 003). The keys live in the cloud's key
//! service. An image under a key can be shared only with projects that have a grant here.

pub mod dependents;
mod error;
pub mod list;
pub mod put;
pub mod show;
pub mod withdraw;

use serde::Serialize;

use crate::domain::{ID_FORMAT, KeyId, TenantId};
use crate::http::{ApiError, AuthenticatedRequest, Listing, PageInfo};
use crate::store::KeyGrantRecord;
use crate::usecases::DependentMemberships;

/// A key grant in a response.
#[derive(Debug, Serialize)]
struct GrantJson<'a> {
    key_id: &'a str,
    project_id: &'a str,
    created_at: String,
}

impl<'a> GrantJson<'a> {
    fn new(key: &'a KeyId, grant: &'a KeyGrantRecord) -> Self {
        Self {
            key_id: key.as_str(),
            project_id: grant.tenant.as_str(),
            created_at: grant.created.to_iso_seconds(),
        }
    }
}

/// A response with one key grant.
#[derive(Debug, Serialize)]
struct GrantBody<'a> {
    grant: GrantJson<'a>,
}

/// A page of the memberships that rely on a key grant.
#[derive(Debug, Serialize)]
struct DependentsBody<'a> {
    memberships: Vec<MembershipJson<'a>>,
    page_info: PageInfo,
}

#[derive(Debug, Serialize)]
struct MembershipJson<'a> {
    image_id: &'a str,
    image_name: Option<&'a str>,
    project_id: &'a str,
    status: &'static str,
}

impl<'a> DependentsBody<'a> {
    fn new(tenant: &'a TenantId, dependents: &'a DependentMemberships, listing: &Listing) -> Self {
        let membership =
            |(image, status): &'a (crate::domain::Image, crate::domain::Status)| MembershipJson {
                image_id: image.id.as_str(),
                image_name: image.details.name.as_deref(),
                project_id: tenant.as_str(),
                status: status.as_str(),
            };
        Self {
            memberships: dependents.memberships.iter().map(membership).collect(),
            page_info: PageInfo {
                next_marker: dependents.next.as_ref().map(|next| listing.encode_marker(next)),
                current_count: dependents.memberships.len(),
            },
        }
    }
}

/// The key of the path.
fn path_key(request: &AuthenticatedRequest) -> Result<KeyId, ApiError> {
    let id = request.path_parameter("key_id").parse();
    id.map_err(|_| ApiError::bad_request("IMG.0099", format!("key_id: expected {ID_FORMAT}.")))
}

/// The project of the path, to which the key is granted.
fn path_grantee(request: &AuthenticatedRequest) -> Result<TenantId, ApiError> {
    let id = request.path_parameter("project_id").parse();
    id.map_err(|_| ApiError::bad_request("IMG.0067", format!("project_id: expected {ID_FORMAT}.")))
}
