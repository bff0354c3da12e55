//! Create, list and disable the access keys of a project.

use crate::Service;
use crate::auth::{Keyring, Secret};
use crate::domain::{AccessKey, AccessKeyId, Caller, Role};
use crate::store::{Created, Earlier, Remembered, StoreError};

/// An access key to be created, for the caller's project.
#[derive(Debug, Clone)]
pub struct NewAccessKey {
    /// What it is called.
    pub name: String,
    /// Its roles: at least one, none stronger than the caller's.
    pub roles: Vec<Role>,
}

/// Some of a project's access keys, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKeyPage {
    /// The access keys, disabled ones among them.
    pub keys: Vec<AccessKey>,
    /// The last of them, where there may be more.
    pub next: Option<AccessKeyId>,
}

/// Why something was not done with access keys. What was refused wrote nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefusal {
    /// The caller's role only reads.
    #[error("the role reader may not change anything")]
    ReadOnly,
    /// The access key would be able to do more than its creator.
    #[error("the role {} is more than the caller's", .0.name())]
    RoleTooStrong(Role),
    /// The access key may do more than the caller.
    #[error("the access key has the role {}, which is more than the caller's", .0.name())]
    KeyTooStrong(Role),
    /// The project has as many access keys as it may have, so many.
    #[error("the project has {0} access keys, the most allowed")]
    TooMany(u32),
    /// No such access key, or none of the caller's project.
    #[error("access key not found")]
    NotFound,
    /// The deployment has no master key to derive a secret from.
    #[error("this deployment has no master key")]
    NoMasterKey,
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyUsed,
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Creates an access key of the caller's project, in the name of the caller. Returns it with its secret, which nobody can
/// ask for again. One transaction.
///
/// # Errors
/// [`KeyRefusal`]; then nothing was created.
pub async fn create_access_key(
    service: &Service,
    keyring: &Keyring,
    caller: &Caller,
    new: NewAccessKey,
) -> Result<(AccessKey, Secret), KeyRefusal> {
    create_access_key_once(service, keyring, caller, new, None).await
}

/// Creates an access key, unless the request was made before under its idempotency key: then the access key of that time is
/// returned with its secret, which is derived again. One transaction, and two reads more where there is a key.
///
/// # Errors
/// [`KeyRefusal`]; then nothing was created.
pub async fn create_access_key_once(
    service: &Service,
    keyring: &Keyring,
    caller: &Caller,
    new: NewAccessKey,
    remembered: Option<&Remembered>,
) -> Result<(AccessKey, Secret), KeyRefusal> {
    if !caller.can_act() {
        return Err(KeyRefusal::ReadOnly);
    }
    if let Some(role) = new.roles.iter().copied().find(|role| *role > caller.role) {
        return Err(KeyRefusal::RoleTooStrong(role));
    }
    if let Some(before) = created_before(service, keyring, caller, remembered).await? {
        return Ok(before);
    }
    let id = AccessKeyId::fresh();
    let (master, secret) = keyring.issue(&id).ok_or(KeyRefusal::NoMasterKey)?;
    let key = AccessKey {
        id,
        name: new.name,
        project: caller.tenant.clone(),
        account: caller.account.clone(),
        user: caller.user.clone(),
        roles: new.roles,
        master,
        created: service.clock().now(),
        disabled: None,
    };
    let most = service.settings.limits.access_keys_per_project;
    match service.store.create_access_key(&key, most, remembered).await? {
        Created::Yes => Ok((key, secret)),
        // Two of the same request were under way.
        Created::Before => {
            created_before(service, keyring, caller, remembered).await?.ok_or(KeyRefusal::NotFound)
        }
        Created::TooMany | Created::IdTaken => Err(KeyRefusal::TooMany(most)),
    }
}

/// The access key that a request has created, if it was made before, with its secret.
async fn created_before(
    service: &Service,
    keyring: &Keyring,
    caller: &Caller,
    remembered: Option<&Remembered>,
) -> Result<Option<(AccessKey, Secret)>, KeyRefusal> {
    let Some(remembered) = remembered else { return Ok(None) };
    let id = match service.store.created_before(remembered).await? {
        None => return Ok(None),
        Some(Earlier::KeyUsed) => return Err(KeyRefusal::KeyUsed),
        Some(Earlier::Created(id)) => id,
    };
    let id: AccessKeyId = id.parse().map_err(|_| StoreError::Unreadable("created"))?;
    // One that was disabled long ago is forgotten, and the secret of an old master key cannot be derived.
    let key = service.store.access_key(&id).await?.filter(|key| caller.acts_for(&key.project));
    let key = key.ok_or(KeyRefusal::NotFound)?;
    let secret = keyring.secret_of(&key).ok_or(KeyRefusal::NoMasterKey)?;
    Ok(Some((key, secret)))
}

/// Lists the access keys of the caller's project: at most `most`, those after `after`. One query and one batch read.
///
/// # Errors
/// [`KeyRefusal::Store`] where the table failed.
pub async fn list_access_keys(
    service: &Service,
    caller: &Caller,
    after: Option<&AccessKeyId>,
    most: usize,
) -> Result<AccessKeyPage, KeyRefusal> {
    let (keys, more) = service.store.access_keys(&caller.tenant, after, most).await?;
    let next = keys.last().filter(|_| more).map(|last| last.id.clone());
    Ok(AccessKeyPage { keys, next })
}

/// Disables an access key of the caller's project for good: requests that are signed with it are refused within seconds.
/// Like one that is created, it may do no more than the caller, so that nobody locks out who is above them. One read and
/// one transaction.
///
/// # Errors
/// [`KeyRefusal`]; then nothing was changed.
pub async fn disable_access_key(
    service: &Service,
    keyring: &Keyring,
    caller: &Caller,
    id: &AccessKeyId,
) -> Result<(), KeyRefusal> {
    if !caller.can_act() {
        return Err(KeyRefusal::ReadOnly);
    }
    // Project and roles of an access key never change, so nothing can come between reading and writing.
    let key = service.store.access_key(id).await?.filter(|key| caller.acts_for(&key.project));
    let key = key.ok_or(KeyRefusal::NotFound)?;
    if let Some(role) = key.roles.iter().copied().find(|role| *role > caller.role) {
        return Err(KeyRefusal::KeyTooStrong(role));
    }
    service.store.disable_access_key(&key, service.clock().now()).await?;
    keyring.forget(&key.id);
    Ok(())
}
