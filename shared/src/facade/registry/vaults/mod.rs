//! The vaults into which a project accepts full-ECS images (seed 001). The backups live in the cloud's backup service.
//! A vault here is what its owner declares, with the capacity that is reserved for accepted images.

pub mod delete;
mod error;
pub mod list;
pub mod put;
pub mod show;

use serde::Serialize;

use crate::domain::{ID_FORMAT, VaultId};
use crate::http::{ApiError, AuthenticatedRequest};
use crate::store::VaultRecord;

/// A vault in a response.
#[derive(Debug, Serialize)]
struct VaultJson<'a> {
    vault_id: &'a str,
    protection_type: &'static str,
    status: &'static str,
    capacity_gib: u32,
    reserved_gib: u64,
    created_at: String,
    updated_at: String,
}

impl<'a> From<&'a VaultRecord> for VaultJson<'a> {
    fn from(record: &'a VaultRecord) -> Self {
        let details = record.vault.details;
        Self {
            vault_id: record.id.as_str(),
            protection_type: details.protection.as_str(),
            status: details.status.as_str(),
            capacity_gib: details.capacity_gib,
            reserved_gib: record.vault.reserved_gib,
            created_at: record.created.to_iso_seconds(),
            updated_at: record.vault.revision.time().max(record.created).to_iso_seconds(),
        }
    }
}

/// A response with one vault.
#[derive(Debug, Serialize)]
struct VaultBody<'a> {
    vault: VaultJson<'a>,
}

/// The vault of the path.
fn path_vault(request: &AuthenticatedRequest) -> Result<VaultId, ApiError> {
    let id = request.path_parameter("vault_id").parse();
    id.map_err(|_| ApiError::bad_request("IMG.0184", format!("vault_id: expected {ID_FORMAT}.")))
}
