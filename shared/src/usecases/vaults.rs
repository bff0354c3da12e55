//! Manage the vaults into which a project accepts full-ECS images (seed 001, `contract/decisions.md` 15).

use super::Page;
use crate::App;
use crate::domain::{Caller, Denied, Stamp, VaultDetails, VaultId, authorize_write};
use crate::store::{DeleteVaultOutcome, StoreError, VaultRecord};

/// Why a request about vaults was refused. A refused request has written nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The access rule denies it: the caller's role only reads.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The caller's project has no such vault.
    #[error("vault {0} not found")]
    NotFound(VaultId),
    /// The reservations of accepted images do not allow the change.
    #[error("vault {0} is in use")]
    InUse(VaultId),
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Creates or updates a vault of the caller's project, and returns it. A capacity below the reserved capacity is
/// refused. Costs one write.
///
/// # Errors
/// [`VaultError`]; then nothing was written.
pub async fn put_vault(
    app: &App,
    caller: &Caller,
    id: VaultId,
    details: &VaultDetails,
) -> Result<VaultRecord, VaultError> {
    authorize_write(caller)?;
    let key = (caller.tenant.clone(), id);
    let record = app.store.put_vault(&key, details, Stamp::now()).await?;
    record.ok_or(VaultError::InUse(key.1))
}

/// Returns a vault of the caller's project. Costs one read.
///
/// # Errors
/// [`VaultError`]
pub async fn show_vault(app: &App, caller: &Caller, id: VaultId) -> Result<VaultRecord, VaultError> {
    let key = (caller.tenant.clone(), id);
    app.store.vault(&key).await?.ok_or(VaultError::NotFound(key.1))
}

/// Lists the vaults of the caller's project: at most `limit`, after `after`. Costs one query.
///
/// # Errors
/// [`VaultError::Store`] if the table failed.
pub async fn list_vaults(
    app: &App,
    caller: &Caller,
    after: Option<&VaultId>,
    limit: usize,
) -> Result<Page<VaultRecord, VaultId>, VaultError> {
    let (vaults, more) = app.store.vaults(&caller.tenant, after, limit).await?;
    Ok(Page::new(vaults, more, |last| last.id.clone()))
}

/// Deletes a vault of the caller's project, if nothing in it is reserved. A missing vault is no error. Costs one write.
///
/// # Errors
/// [`VaultError`]; then nothing was changed,
/// unless the table leaves that in doubt ([`InDoubt`](crate::store::StoreError::InDoubt)).
pub async fn delete_vault(app: &App, caller: &Caller, id: VaultId) -> Result<(), VaultError> {
    authorize_write(caller)?;
    let key = (caller.tenant.clone(), id);
    match app.store.delete_vault(&key).await? {
        DeleteVaultOutcome::Deleted => Ok(()),
        DeleteVaultOutcome::InUse => Err(VaultError::InUse(key.1)),
    }
}
