//! Create, list and disable the access keys of a project.

use super::idempotency::{ReplayError, find_created_id};
use super::page::Page;
use crate::App;
use crate::auth::{Keyring, Secret};
use crate::domain::{AccessKey, AccessKeyId, Caller, Role};
use crate::store::{CreateOutcome, IdempotencyRequest, StoreError};

/// An access key to be created, for the caller's project.
#[derive(Debug, Clone)]
pub struct NewAccessKey {
    /// What it is called.
    pub name: String,
    /// Its roles: at least one, none stronger than the caller's.
    pub roles: Vec<Role>,
}

/// Why something was not done with access keys. What was refused wrote nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessKeyError {
    /// The caller's role only reads.
    #[error("the role reader may not change anything")]
    ReadOnly,
    /// The access key would be able to do more than its creator.
    #[error("the role {} is more than the caller's", .0.name())]
    RoleExceedsCaller(Role),
    /// The access key may do more than the caller.
    #[error("the access key has the role {}, which is more than the caller's", .0.name())]
    KeyRoleExceedsCaller(Role),
    /// The project has as many access keys as it may have, so many.
    #[error("the project has {0} access keys, the most allowed")]
    KeyLimit(u32),
    /// No such access key, or none of the caller's project.
    #[error("access key not found")]
    NotFound,
    /// The deployment has no master key to derive a secret from.
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

/// Creates an access key of the caller's project, in the name of the caller. Returns it with its secret, which is shown only
/// here. A request that was made before under its idempotency key returns the access key of that time, with its secret, which
/// is derived again. One transaction, and two reads more where there is a key.
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
    if !caller.can_write() {
        return Err(AccessKeyError::ReadOnly);
    }
    if let Some(role) = new.roles.iter().copied().find(|role| *role > caller.role) {
        return Err(AccessKeyError::RoleExceedsCaller(role));
    }
    if let Some(before) = find_replayed_key(app, keyring, caller, idempotency).await? {
        return Ok(before);
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
        // Two of the same request were under way.
        CreateOutcome::IdempotencyKeyUsed => {
            find_replayed_key(app, keyring, caller, idempotency).await?.ok_or(AccessKeyError::NotFound)
        }
        CreateOutcome::LimitReached | CreateOutcome::IdTaken => Err(AccessKeyError::KeyLimit(limit)),
    }
}

/// The access key that a request has created, if it was made before, with its secret.
async fn find_replayed_key(
    app: &App,
    keyring: &Keyring,
    caller: &Caller,
    idempotency: Option<&IdempotencyRequest>,
) -> Result<Option<(AccessKey, Secret)>, AccessKeyError> {
    let Some(id) = find_created_id::<AccessKeyId>(app, idempotency).await? else { return Ok(None) };
    // One that was disabled long ago is forgotten, and the secret of an old master key cannot be derived.
    let key = app.store.access_key(&id).await?.filter(|key| caller.can_write_for(&key.project));
    let key = key.ok_or(AccessKeyError::NotFound)?;
    let secret = keyring.secret_for(&key).ok_or(AccessKeyError::NoMasterKey)?;
    Ok(Some((key, secret)))
}

/// Lists the access keys of the caller's project: at most `most`, those after `after`. One query and one batch read.
///
/// # Errors
/// [`AccessKeyError::Store`] where the table failed.
pub async fn list_access_keys(
    app: &App,
    caller: &Caller,
    after: Option<&AccessKeyId>,
    limit: usize,
) -> Result<Page<AccessKey, AccessKeyId>, AccessKeyError> {
    let (keys, more) = app.store.access_keys(&caller.tenant, after, limit).await?;
    let next = keys.last().filter(|_| more).map(|last| last.id.clone());
    Ok(Page { items: keys, next })
}

/// Disables an access key of the caller's project for good: requests that are signed with it are refused within seconds.
/// Like one that is created, it may do no more than the caller, so that nobody locks out who is above them. One read and
/// one transaction.
///
/// # Errors
/// [`AccessKeyError`]; then nothing was changed.
pub async fn disable_access_key(
    app: &App,
    keyring: &Keyring,
    caller: &Caller,
    id: &AccessKeyId,
) -> Result<(), AccessKeyError> {
    if !caller.can_write() {
        return Err(AccessKeyError::ReadOnly);
    }
    // Project and roles of an access key never change, so nothing can come between reading and writing.
    let key = app.store.access_key(id).await?.filter(|key| caller.can_write_for(&key.project));
    let key = key.ok_or(AccessKeyError::NotFound)?;
    if let Some(role) = key.roles.iter().copied().find(|role| *role > caller.role) {
        return Err(AccessKeyError::KeyRoleExceedsCaller(role));
    }
    app.store.disable_access_key(&key, app.clock().now()).await?;
    keyring.evict(&key.id);
    Ok(())
}
