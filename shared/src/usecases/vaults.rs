//! Keep the vaults into which a project accepts full-ECS images (seed 001, `contract/decisions.md` 15).

use super::Page;
use crate::App;
use crate::domain::{Caller, Stamp, VaultDetails, VaultId};
use crate::store::{DeleteVaultOutcome, StoreError, VaultRecord};

/// Why something was not done with vaults. What was refused wrote nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The caller's role only reads.
    #[error("the role reader may not change anything")]
    ReadOnly,
    /// The caller's project has no such vault.
    #[error("vault {0} not found")]
    NotFound(VaultId),
    /// Accepted images hold more of the vault than would be left.
    #[error("vault {0} is in use")]
    InUse(VaultId),
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes what the caller says of a vault of its project, which may be new, and returns it. A capacity below what is
/// reserved is refused. One write.
///
/// # Errors
/// [`VaultError`]; then nothing was written.
pub async fn put_vault(
    app: &App,
    caller: &Caller,
    id: VaultId,
    details: &VaultDetails,
) -> Result<VaultRecord, VaultError> {
    if !caller.can_write() {
        return Err(VaultError::ReadOnly);
    }
    let key = (caller.tenant.clone(), id);
    let put = app.store.put_vault(&key, details, Stamp::now()).await?;
    put.ok_or(VaultError::InUse(key.1))
}

/// Shows a vault of the caller's project. One read.
///
/// # Errors
/// [`VaultError`]
pub async fn show_vault(app: &App, caller: &Caller, id: VaultId) -> Result<VaultRecord, VaultError> {
    let key = (caller.tenant.clone(), id);
    app.store.vault(&key).await?.ok_or(VaultError::NotFound(key.1))
}

/// Lists the vaults of the caller's project: at most `most`, those after `after`. One query.
///
/// # Errors
/// [`VaultError::Store`] where the table failed.
pub async fn list_vaults(
    app: &App,
    caller: &Caller,
    after: Option<&VaultId>,
    limit: usize,
) -> Result<Page<VaultRecord, VaultId>, VaultError> {
    let (vaults, more) = app.store.vaults(&caller.tenant, after, limit).await?;
    let next = vaults.last().filter(|_| more).map(|last| last.id.clone());
    Ok(Page { items: vaults, next })
}

/// Forgets a vault of the caller's project, of which nothing may be reserved; that there is none is no error. One write.
///
/// # Errors
/// [`VaultError`]; then nothing was changed.
pub async fn delete_vault(app: &App, caller: &Caller, id: VaultId) -> Result<(), VaultError> {
    if !caller.can_write() {
        return Err(VaultError::ReadOnly);
    }
    let key = (caller.tenant.clone(), id);
    match app.store.delete_vault(&key).await? {
        DeleteVaultOutcome::Deleted => Ok(()),
        DeleteVaultOutcome::InUse => Err(VaultError::InUse(key.1)),
    }
}
