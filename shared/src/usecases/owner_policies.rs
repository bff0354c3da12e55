//! Manage the owners that a project trusts, and those that it blocks (seed 002, `contract/decisions.md` 34).

use std::time::Duration;

use super::Page;
use crate::App;
use crate::domain::{
    Caller, Denied, MAX_OWNER_POLICIES, OwnerPolicyKey, Policy, PolicyKind, Stamp, TenantId, VaultId,
    authorize_write,
};
use crate::store::{OwnerPolicyRecord, PutPolicyOutcome, StoreError};

/// The most attempts to write a policy while another request creates or removes it.
const MAX_ATTEMPTS: u32 = 10;

/// Why a request about owner policies was refused. A refused request has written nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OwnerPolicyError {
    /// The access rule denies it: the caller's role only reads.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The owner is the caller's own project.
    #[error("{0} is the caller's own project")]
    OwnProject(TenantId),
    /// The caller's project has no such vault.
    #[error("vault {0} not found")]
    NoVault(VaultId),
    /// The caller's project has as many policies as it may have.
    #[error("at most {0} policies")]
    LimitReached(u32),
    /// The caller's project has no policy on the owner.
    #[error("no policy on {0}")]
    NotFound(TenantId),
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Sets the policy of the caller's project on an owner, and returns it. It counts for every share that is requested
/// after the response. Memberships that exist stay as they are; sharing an image again applies the policy. The owner
/// need not exist: whether it does is not for the caller to learn.
///
/// Costs one write, or for a new policy one transaction more; and one read if the policy names a vault.
///
/// # Errors
/// [`OwnerPolicyError`]; then nothing was changed,
/// unless the table leaves that in doubt ([`InDoubt`](crate::store::StoreError::InDoubt)).
pub async fn put_owner_policy(
    app: &App,
    caller: &Caller,
    owner: TenantId,
    policy: Policy,
) -> Result<OwnerPolicyRecord, OwnerPolicyError> {
    authorize_write(caller)?;
    if owner == caller.tenant {
        return Err(OwnerPolicyError::OwnProject(owner));
    }
    // A vault may be deleted later; then full-ECS images stay pending.
    if let Some(vault) = policy.vault()
        && app.store.vault(&(caller.tenant.clone(), vault.clone())).await?.is_none()
    {
        return Err(OwnerPolicyError::NoVault(vault.clone()));
    }
    let key = OwnerPolicyKey { recipient: caller.tenant.clone(), owner };
    for attempt in 1..=MAX_ATTEMPTS {
        match app.store.put_owner_policy(&key, &policy, Stamp::now()).await? {
            PutPolicyOutcome::Written(record) => return Ok(record),
            PutPolicyOutcome::LimitReached => return Err(OwnerPolicyError::LimitReached(MAX_OWNER_POLICIES)),
            PutPolicyOutcome::Conflict => {
                tokio::time::sleep(Duration::from_millis(fastrand::u64(0..5 * u64::from(attempt)))).await;
            }
        }
    }
    Err(StoreError::Unavailable("the policy has changed in every attempt".into()).into())
}

/// Returns the policy of the caller's project on an owner. Costs one read.
///
/// # Errors
/// [`OwnerPolicyError`]
pub async fn show_owner_policy(
    app: &App,
    caller: &Caller,
    owner: TenantId,
) -> Result<OwnerPolicyRecord, OwnerPolicyError> {
    let key = OwnerPolicyKey { recipient: caller.tenant.clone(), owner };
    app.store.owner_policy(&key).await?.ok_or(OwnerPolicyError::NotFound(key.owner))
}

/// Lists the policies of the caller's project, all or those of a kind: at most `limit`, after owner `after`. Costs one
/// query.
///
/// # Errors
/// [`OwnerPolicyError::Store`] if the table failed.
pub async fn list_owner_policies(
    app: &App,
    caller: &Caller,
    kind: Option<PolicyKind>,
    after: Option<&TenantId>,
    limit: usize,
) -> Result<Page<OwnerPolicyRecord, TenantId>, OwnerPolicyError> {
    let (policies, more) = app.store.owner_policies(&caller.tenant, kind, after, limit).await?;
    Ok(Page::new(policies, more, |last| last.owner.clone()))
}

/// Removes the policy of the caller's project on an owner. Memberships stay as they are. A missing policy is no error.
/// Costs one transaction.
///
/// # Errors
/// [`OwnerPolicyError`]; then nothing was changed,
/// unless the table leaves that in doubt ([`InDoubt`](crate::store::StoreError::InDoubt)).
pub async fn delete_owner_policy(
    app: &App,
    caller: &Caller,
    owner: TenantId,
) -> Result<(), OwnerPolicyError> {
    authorize_write(caller)?;
    let key = OwnerPolicyKey { recipient: caller.tenant.clone(), owner };
    Ok(app.store.delete_owner_policy(&key).await?)
}
