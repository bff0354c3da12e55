//! The owners that a project trusts, and those that it blocks (seed 002). The shares of a trusted owner are accepted at
//! once, and those of a blocked one fail. Images that are shared already stay as they are.

pub mod delete;
mod error;
pub mod list;
pub mod put;
pub mod show;

use serde::Serialize;

use crate::domain::{ID_FORMAT, TenantId, VaultId};
use crate::http::{ApiError, AuthenticatedRequest};
use crate::store::OwnerPolicyRecord;

/// A policy on an owner in a response.
#[derive(Debug, Serialize)]
struct OwnerJson<'a> {
    project_id: &'a str,
    policy: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    vault_id: Option<&'a str>,
    created_at: String,
    updated_at: String,
}

impl<'a> From<&'a OwnerPolicyRecord> for OwnerJson<'a> {
    fn from(record: &'a OwnerPolicyRecord) -> Self {
        let policy = &record.policy.policy;
        Self {
            project_id: record.owner.as_str(),
            policy: policy.kind().as_str(),
            vault_id: policy.vault().map(VaultId::as_str),
            created_at: record.created.to_iso_seconds(),
            updated_at: record.policy.revision.time().max(record.created).to_iso_seconds(),
        }
    }
}

/// A response with one policy.
#[derive(Debug, Serialize)]
struct OwnerBody<'a> {
    owner: OwnerJson<'a>,
}

/// The owner of the path.
fn path_owner(request: &AuthenticatedRequest) -> Result<TenantId, ApiError> {
    let id = request.path_parameter("project_id").parse();
    id.map_err(|_| ApiError::bad_request("IMG.0067", format!("project_id: expected {ID_FORMAT}.")))
}
