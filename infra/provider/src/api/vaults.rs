//! Vaults: where full-ECS images are accepted.

use serde::{Deserialize, Serialize};

use super::{ApiError, Call, Client};

/// A vault of the caller's project.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Vault {
    /// Its id.
    pub vault_id: String,
    /// `backup`, `replication` or `hybrid`.
    pub protection_type: String,
    /// Its status, such as `available`.
    pub status: String,
    /// Its capacity.
    pub capacity_gib: i64,
    /// What accepted images have reserved.
    pub reserved_gib: i64,
    /// When it was registered.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
}

/// What a vault is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewVault {
    /// `backup`, `replication` or `hybrid`.
    pub protection_type: String,
    /// Its capacity.
    pub capacity_gib: i64,
    /// Its status; `available` if it is `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

#[derive(Deserialize)]
struct Body {
    vault: Vault,
}

impl Client {
    /// Registers or changes a vault.
    pub async fn put_vault(&self, id: &str, vault: &NewVault) -> Result<Vault, ApiError> {
        Ok(self.send::<Body>(&Call::put("/v1/vaults/{}", &[id]).body(vault)).await?.vault)
    }

    /// Reads a vault. `None` if there is no such vault.
    pub async fn vault(&self, id: &str) -> Result<Option<Vault>, ApiError> {
        let body: Option<Body> = self.find(&Call::get("/v1/vaults/{}", &[id])).await?;
        Ok(body.map(|body| body.vault))
    }

    /// Removes a vault, also if it is gone. A vault in use is a conflict.
    pub async fn delete_vault(&self, id: &str) -> Result<(), ApiError> {
        self.remove(&Call::delete("/v1/vaults/{}", &[id])).await
    }
}
