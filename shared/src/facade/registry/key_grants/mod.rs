//! Key grants: which projects may use a key of the caller's project (seed 003). The keys live in the cloud's key
//! service. An image under a key can be shared only with projects that have a grant here.

pub mod dependents;
mod error;
pub mod list;
pub mod put;
pub mod show;
pub mod withdraw;

use http::StatusCode;
use serde::Serialize;

use crate::domain::{ID_FORMAT, Image, KeyId, Status, TenantId};
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, Listing, PageBody, json_response};
use crate::store::KeyGrantRecord;
use crate::usecases::{Marker, Page};

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

/// A membership that relies on a key grant.
#[derive(Debug, Serialize)]
struct MembershipJson<'a> {
    image_id: &'a str,
    image_name: Option<&'a str>,
    project_id: &'a str,
    status: &'static str,
}

impl<'a> MembershipJson<'a> {
    fn new(tenant: &'a TenantId, (image, status): &'a (Image, Status)) -> Self {
        Self {
            image_id: image.id.as_str(),
            image_name: image.details.name.as_deref(),
            project_id: tenant.as_str(),
            status: status.as_str(),
        }
    }
}

/// The response with a page of the memberships of a tenant that rely on a grant.
fn dependents_response(
    tenant: &TenantId,
    page: &Page<(Image, Status), Marker>,
    listing: &Listing,
) -> HttpResponse {
    let wire = |membership| MembershipJson::new(tenant, membership);
    json_response(StatusCode::OK, &PageBody::new("memberships", page, listing, wire))
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
