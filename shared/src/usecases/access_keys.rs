//! Create, read, rename and disable the access keys of a project.

use super::idempotency::{ReplayError, find_created_id};
use super::page::Page;
use crate::App;
use crate::auth::{Keyring, Secret};
use crate::domain::{
    AccessKey, AccessKeyId, Caller, Denied, MAX_ACCESS_KEY_LIFETIME, Role, Timestamp, authorize_project,
    authorize_write, authorize_write_for, role_above,
};
use crate::store::{CreateOutcome, IdempotencyRequest, StoreError};

/// The request for a new access key of the caller's project.
#[derive(Debug, Clone)]
pub struct NewAccessKey {
    /// The display name.
    pub name: String,
    /// The roles: at least one, and none above the caller's.
    pub roles: Vec<Role>,
    /// When it expires: in the future, within [`MAX_ACCESS_KEY_LIFETIME`]. `None`: it does not.
    pub expires_at: Option<Timestamp>,
    /// The secret, if the caller chose it.
    pub secret: Option<Secret>,
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
    /// The time at which the access key is to expire is past, or too far in the future.
    #[error("the access key cannot expire then")]
    InvalidExpiry,
    /// The project has reached its limit of access keys.
    #[error("the project has {0} access keys, which is the limit")]
    KeyLimit(u32),
    /// The access key does not exist, or belongs to another project.
    #[error("access key not found")]
    NotFound,
    /// The deployment has no master key from which to derive the secret, or to encrypt it.
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
/// or decrypted again; a request that names another secret is another one. Costs one query and one transaction, and up
/// to two reads more if there is an idempotency key.
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
    let chosen = new.secret.as_ref();
    if let Some(replayed) = find_replayed_key(app, keyring, caller, chosen, idempotency).await? {
        return Ok(replayed);
    }
    let now = app.clock().now();
    if new.expires_at.is_some_and(|end| end <= now || end > now.plus(MAX_ACCESS_KEY_LIFETIME)) {
        return Err(AccessKeyError::InvalidExpiry);
    }
    let id = AccessKeyId::generate();
    let (master, sealed, secret) = if let Some(secret) = chosen {
        let (master, sealed) = keyring.seal_new_secret(&id, secret).ok_or(AccessKeyError::NoMasterKey)?;
        (master, Some(sealed), secret.clone())
    } else {
        let (master, secret) = keyring.derive_new_secret(&id).ok_or(AccessKeyError::NoMasterKey)?;
        (master, None, secret)
    };
    let key = AccessKey {
        id,
        name: new.name,
        project: caller.tenant.clone(),
        account: caller.account.clone(),
        user: caller.user.clone(),
        roles: new.roles,
        master_key_id: master,
        sealed_secret: sealed,
        created: now,
        expires_at: new.expires_at,
        disabled_at: None,
    };
    let limit = app.settings.limits.access_keys_per_project;
    match app.store.create_access_key(&key, limit, idempotency).await? {
        CreateOutcome::Created => Ok((key, secret)),
        // The same request was executed concurrently.
        CreateOutcome::IdempotencyKeyUsed => {
            let replayed = find_replayed_key(app, keyring, caller, chosen, idempotency).await?;
            replayed.ok_or(AccessKeyError::NotFound)
        }
        CreateOutcome::LimitReached | CreateOutcome::IdTaken => Err(AccessKeyError::KeyLimit(limit)),
    }
}

/// Returns the access key that an earlier request under the same idempotency key has created, without its secret; `None` if
/// the request is new. Costs one read, and another one if the request is not new.
///
/// # Errors
/// [`AccessKeyError::IdempotencyKeyReused`] if that was another request, and those of [`show_access_key`].
pub async fn find_created_access_key(
    app: &App,
    caller: &Caller,
    idempotency: &IdempotencyRequest,
) -> Result<Option<AccessKey>, AccessKeyError> {
    match find_created_id(app, Some(idempotency)).await? {
        Some(id) => show_access_key(app, caller, &id).await.map(Some),
        None => Ok(None),
    }
}

/// The access key and secret of a replayed request; `None` if the request is new. The digest of a request says nothing
/// of a secret, from which it could be guessed, so `chosen` is compared with the access key's.
async fn find_replayed_key(
    app: &App,
    keyring: &Keyring,
    caller: &Caller,
    chosen: Option<&Secret>,
    idempotency: Option<&IdempotencyRequest>,
) -> Result<Option<(AccessKey, Secret)>, AccessKeyError> {
    let Some(id) = find_created_id::<AccessKeyId>(app, idempotency).await? else { return Ok(None) };
    // An access key that was disabled long ago has expired, and a secret cannot be derived without its master key.
    let key =
        app.store.access_key(&id).await?.filter(|key| authorize_write_for(caller, &key.project).is_ok());
    let key = key.ok_or(AccessKeyError::NotFound)?;
    let secret = keyring.secret_for(&key).ok_or(AccessKeyError::NoMasterKey)?;
    let is_same = match chosen {
        Some(chosen) => key.sealed_secret.is_some() && secret.matches(chosen.reveal()),
        None => key.sealed_secret.is_none(),
    };
    if is_same { Ok(Some((key, secret))) } else { Err(AccessKeyError::IdempotencyKeyReused) }
}

/// Returns an access key of the caller's project, disabled or not, without its secret. Costs one read.
///
/// # Errors
/// [`AccessKeyError::NotFound`], also for a key of another project, or [`AccessKeyError::Store`].
pub async fn show_access_key(
    app: &App,
    caller: &Caller,
    id: &AccessKeyId,
) -> Result<AccessKey, AccessKeyError> {
    let key = app.store.access_key(id).await?;
    key.filter(|key| authorize_project(caller, &key.project).is_ok()).ok_or(AccessKeyError::NotFound)
}

/// Renames an access key of the caller's project, and returns it. Its roles must not be above the caller's. Costs one
/// read and one write.
///
/// # Errors
/// [`AccessKeyError`]; then nothing was changed,
/// unless the table leaves that in doubt ([`InDoubt`](crate::store::StoreError::InDoubt)).
pub async fn rename_access_key(
    app: &App,
    caller: &Caller,
    id: &AccessKeyId,
    name: String,
) -> Result<AccessKey, AccessKeyError> {
    let key = changeable_key(app, caller, id).await?;
    // TTL may have removed it meanwhile.
    if !app.store.rename_access_key(id, &name).await? {
        return Err(AccessKeyError::NotFound);
    }
    Ok(AccessKey { name, ..key })
}

/// Reads an access key that the caller may change: one of its project, with no role above its own. The project and the
/// roles of an access key never change, so the checks still hold when it is written. Costs one read.
async fn changeable_key(app: &App, caller: &Caller, id: &AccessKeyId) -> Result<AccessKey, AccessKeyError> {
    authorize_write(caller)?;
    let key = app.store.access_key(id).await?.filter(|key| authorize_write_for(caller, &key.project).is_ok());
    let key = key.ok_or(AccessKeyError::NotFound)?;
    match role_above(caller, &key.roles) {
        Some(role) => Err(AccessKeyError::KeyRoleExceedsCaller(role)),
        None => Ok(key),
    }
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
    let key = changeable_key(app, caller, id).await?;
    app.store.disable_access_key(&key, app.clock().now()).await?;
    keyring.evict(&key.id);
    Ok(())
}
