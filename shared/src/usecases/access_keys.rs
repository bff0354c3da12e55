//! Create, list and disable the access keys of a project.

use super::idempotency::{ReplayError, find_created_id};
use super::page::Page;
use crate::App;
use crate::auth::{Keyring, Secret};
use crate::domain::{
    AccessKey, AccessKeyId, Caller, Denied, Role, authorize_write, authorize_write_for, role_above,
};
use crate::store::{CreateOutcome, IdempotencyRequest, StoreError};

/// The request for a new access key of the caller's project.
#[derive(Debug, Clone)]
pub struct NewAccessKey {
    /// The display name.
    pub name: String,
    /// The roles: at least one, and none above the caller's.
    pub roles: Vec<Role>,
}

/// Why a request about access keys was refused. A refused request has written nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessKeyError {
    /// The access rule denies it: the caller's role only reads.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The role requested for the access key is above its creator's.
    #[error("the role {} is more than the caller's", .0.name())]
    RoleExceedsCaller(Role),
    /// The access key has a role above the caller's.
    #[error("the access key has the role {}, which is more than the caller's", .0.name())]
    KeyRoleExceedsCaller(Role),
    /// The project has reached its limit of access keys.
    #[error("the project has {0} access keys, which is the limit")]
    KeyLimit(u32),
    /// The access key does not exist, or belongs to another project.
    #[error("access key not found")]
    NotFound,
    /// The deployment has no master key from which to derive the secret.
    #[error("this deployment has no master key")]
    NoMasterKey,
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    IdempotencyKeyReused,
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ReplayError> for AccessKeyError {
    fn from(problem: ReplayError) -> Self {
        match problem {
            ReplayError::KeyReused => Self::IdempotencyKeyReused,
            ReplayError::Store(problem) => problem.into(),
        }
    }
}

/// Creates an access key of the caller's project, on behalf of the caller. Returns it with its secret, which no
/// other request shows. A replayed request returns the access key of the first one, with the same secret, derived
/// again. Costs one transaction, and up to two reads more if there is an idempotency key.
///
/// # Errors
/// [`AccessKeyError`]; then nothing was created.
pub async fn create_access_key(
    app: &App,
    keyring: &Keyring,
    caller: &Caller,
    new: NewAccessKey,
    idempotency: Option<&IdempotencyRequest>,
) -> Result<(AccessKey, Secret), AccessKeyError> {
    authorize_write(caller)?;
    if let Some(role) = role_above(caller, &new.roles) {
        return Err(AccessKeyError::RoleExceedsCaller(role));
    }
    if let Some(replayed) = find_replayed_key(app, keyring, caller, idempotency).await? {
        return Ok(replayed);
    }
    let id = AccessKeyId::generate();
    let (master, secret) = keyring.derive_new_secret(&id).ok_or(AccessKeyError::NoMasterKey)?;
    let key = AccessKey {
        id,
        name: new.name,
        project: caller.tenant.clone(),
        account: caller.account.clone(),
        user: caller.user.clone(),
        roles: new.roles,
        master_key_id: master,
        created: app.clock().now(),
        disabled_at: None,
    };
    let limit = app.settings.limits.access_keys_per_project;
    match app.store.create_access_key(&key, limit, idempotency).await? {
        CreateOutcome::Created => Ok((key, secret)),
        // The same request was executed concurrently.
        CreateOutcome::IdempotencyKeyUsed => {
            find_replayed_key(app, keyring, caller, idempotency).await?.ok_or(AccessKeyError::NotFound)
        }
        CreateOutcome::LimitReached | CreateOutcome::IdTaken => Err(AccessKeyError::KeyLimit(limit)),
    }
}

/// The access key and secret of a replayed request; `None` if the request is new.
async fn find_replayed_key(
    app: &App,
    keyring: &Keyring,
    caller: &Caller,
    idempotency: Option<&IdempotencyRequest>,
) -> Result<Option<(AccessKey, Secret)>, AccessKeyError> {
    let Some(id) = find_created_id::<AccessKeyId>(app, idempotency).await? else { return Ok(None) };
    // An access key that was disabled long ago has expired, and a secret cannot be derived without its master key.
    let key =
        app.store.access_key(&id).await?.filter(|key| authorize_write_for(caller, &key.project).is_ok());
    let key = key.ok_or(AccessKeyError::NotFound)?;
    let secret = keyring.secret_for(&key).ok_or(AccessKeyError::NoMasterKey)?;
    Ok(Some((key, secret)))
}

/// Lists the access keys of the caller's project: at most `limit`, after `after`. Costs one query and one batch read.
///
/// # Errors
/// [`AccessKeyError::Store`] if the table failed.
pub async fn list_access_keys(
    app: &App,
    caller: &Caller,
    after: Option<&AccessKeyId>,
    limit: usize,
) -> Result<Page<AccessKey, AccessKeyId>, AccessKeyError> {
    let (keys, more) = app.store.access_keys(&caller.tenant, after, limit).await?;
    Ok(Page::new(keys, more, |last| last.id.clone()))
}

/// Disables an access key of the caller's project for good: requests signed with it are refused within seconds. Its
/// roles must not be above the caller's, so that no caller locks out one with a higher role. Costs one read and one
/// transaction.
///
/// # Errors
/// [`AccessKeyError`]; then nothing was changed,
/// unless the table leaves that in doubt ([`InDoubt`](crate::store::StoreError::InDoubt)).
pub async fn disable_access_key(
    app: &App,
    keyring: &Keyring,
    caller: &Caller,
    id: &AccessKeyId,
) -> Result<(), AccessKeyError> {
    authorize_write(caller)?;
    // The project and the roles of an access key never change, so the checks still hold when it is written.
    let key = app.store.access_key(id).await?.filter(|key| authorize_write_for(caller, &key.project).is_ok());
    let key = key.ok_or(AccessKeyError::NotFound)?;
    if let Some(role) = role_above(caller, &key.roles) {
        return Err(AccessKeyError::KeyRoleExceedsCaller(role));
    }
    app.store.disable_access_key(&key, app.clock().now()).await?;
    keyring.evict(&key.id);
    Ok(())
}
