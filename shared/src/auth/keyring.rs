//! A process's cache of access keys with their secrets, and of issued tokens that are not revoked.
//!
//! An entry is valid for five seconds, so that a client with many requests does not cost a read for each. For as long,
//! a disabled key may still work in other processes than the one that disabled it. A key that does not exist is not
//! cached, so that a new one works at once.
//!
//! Time is the wall clock. A monotonic clock stands still while Lambda freezes the function between two requests, and a
//! disabled key would stay cached throughout.

use std::sync::Arc;
use std::time::Duration;

use super::master_keys::{MasterKeys, Secret};
use super::refreshed::{FetchError, Refreshed, Source, Wanted};
use super::secrets::{SECRET_POLICY, SecretReader};
use super::token_hash::TokenHash;
use super::ttl_cache::TtlCache;
use crate::domain::{AccessKey, AccessKeyId, SealedSecret, Timestamp};
use crate::store::{Store, StoreError};

/// The capacity of each of the two caches.
const MAX_CACHED_ENTRIES: usize = 10_000;

/// How long an access key or token is cached, counted from before it is read.
const CACHE_TTL: Duration = Duration::from_secs(5);

/// The master keys, and the caches of access keys and tokens. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    master_keys: MasterKeySource,
    credentials: Arc<TtlCache<AccessKeyId, Arc<Credential>, Timestamp, MAX_CACHED_ENTRIES>>,
    /// Issued tokens that were not revoked when the table was last read.
    unrevoked_tokens: Arc<TtlCache<TokenHash, (), Timestamp, MAX_CACHED_ENTRIES>>,
}

/// The master keys: configured, or kept in a parameter or secret of AWS.
#[derive(Debug, Clone)]
enum MasterKeySource {
    Fixed(Arc<MasterKeys>),
    Secret(Arc<Refreshed<SecretReader>>),
}

impl Default for MasterKeySource {
    fn default() -> Self {
        Self::Fixed(Arc::default())
    }
}

impl Source for SecretReader {
    type Value = MasterKeys;

    async fn fetch(&self) -> Result<Option<MasterKeys>, FetchError> {
        self.read_as(MasterKeys::parse_some).await.map(Some)
    }
}

/// An access key and its secret.
#[derive(Debug)]
pub struct Credential {
    /// The access key, disabled or not.
    pub key: AccessKey,
    /// The secret; `None` if the access key's master key is no longer listed.
    pub secret: Option<Secret>,
}

impl Keyring {
    /// Creates a keyring with these master keys.
    pub fn new(master_keys: MasterKeys) -> Self {
        Self { master_keys: MasterKeySource::Fixed(Arc::new(master_keys)), ..Self::default() }
    }

    /// Creates a keyring whose master keys are kept in a parameter or secret. Reads nothing yet: until
    /// [`Self::load_master_keys`] has succeeded, there are none.
    pub(super) fn with_secret(secret: SecretReader) -> Self {
        Self {
            master_keys: MasterKeySource::Secret(Refreshed::new(secret, SECRET_POLICY)),
            ..Self::default()
        }
    }

    /// Reads the master keys if there are none, and starts to read them again if it is time. Costs a call if there are none.
    ///
    /// # Errors
    /// The problem, which names setting and secret, if there are no usable master keys.
    pub(super) async fn load_master_keys(&self, now: Timestamp) -> Result<(), String> {
        match &self.master_keys {
            MasterKeySource::Fixed(_) => Ok(()),
            MasterKeySource::Secret(secret) => secret.get(Wanted::Cached, now).await.map(drop),
        }
    }

    /// Reads the master keys again, since a token names one that is not among them, unless they were read just now. A failure is
    /// logged.
    pub(super) async fn load_new_master_keys(&self, now: Timestamp) {
        if let MasterKeySource::Secret(secret) = &self.master_keys {
            let _ = secret.get(Wanted::MissingKey { in_use_since: None }, now).await;
        }
    }

    /// Whether the master keys may change while the process runs.
    pub(super) fn is_refreshed(&self) -> bool {
        matches!(self.master_keys, MasterKeySource::Secret(_))
    }

    /// Derives the secret of a new access key. Returns the id of its master key and the secret; `None` if the
    /// deployment has no master key.
    pub fn derive_new_secret(&self, id: &AccessKeyId) -> Option<(String, Secret)> {
        let master_keys = self.master_keys();
        let master = master_keys.newest()?;
        Some((master.to_owned(), master_keys.secret(master, id)?))
    }

    /// Encrypts the secret that was chosen for a new access key. Returns the id of its master key and the encrypted
    /// secret; `None` if the deployment has no master key.
    pub fn seal_new_secret(&self, id: &AccessKeyId, secret: &Secret) -> Option<(String, SealedSecret)> {
        let master_keys = self.master_keys();
        let master = master_keys.newest()?;
        Some((master.to_owned(), master_keys.seal(master, id, secret)?))
    }

    /// Returns the secret of an access key, derived or decrypted; `None` if its master key is no longer listed.
    pub fn secret_for(&self, key: &AccessKey) -> Option<Secret> {
        let AccessKey { id, master_key_id, sealed_secret, .. } = key;
        match sealed_secret {
            Some(sealed) => self.master_keys().unseal(master_key_id, id, sealed),
            None => self.master_keys().secret(master_key_id, id),
        }
    }

    /// Finds an access key for a request that was received at `now`. Returns disabled keys, too, and `None` for an
    /// unknown one. Costs one read of the table, or none if the key is cached; and a call for the master keys, if they are kept
    /// in AWS and the key's is not among those last read.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn find(
        &self,
        store: &Store,
        id: &AccessKeyId,
        now: Timestamp,
    ) -> Result<Option<Arc<Credential>>, StoreError> {
        if let Some(cached) = self.credentials.get(id, now) {
            return Ok(Some(cached));
        }
        let Some(key) = store.access_key(id).await? else { return Ok(None) };
        let secret = match (self.secret_for(&key), &self.master_keys) {
            (None, MasterKeySource::Secret(secret)) => {
                // A failure was logged, and leaves the key without its secret.
                let in_use_since = Some(key.created);
                let _ = secret.get(Wanted::MissingKey { in_use_since }, now).await;
                self.secret_for(&key)
            }
            (secret, _) => secret,
        };
        let credential = Arc::new(Credential { key, secret });
        // The period starts before the read, so that a change during the read is not missed for longer.
        self.cache_credential(id.clone(), Arc::clone(&credential), now);
        Ok(Some(credential))
    }

    /// Returns whether an issued token is revoked. Costs one read of the table, or none if a negative result is cached.
    pub(super) async fn is_revoked(
        &self,
        store: &Store,
        token: TokenHash,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        if self.unrevoked_tokens.get(&token, now).is_some() {
            return Ok(false);
        }
        let is_revoked = store.is_token_revoked(&token.to_base64()).await?;
        if !is_revoked {
            // The period starts before the read, as for an access key.
            self.unrevoked_tokens.insert(token, (), now..now.plus(CACHE_TTL));
        }
        Ok(is_revoked)
    }

    /// Revokes an issued token. Other processes may accept it for [`CACHE_TTL`] longer. Costs one put.
    pub(super) async fn revoke(
        &self,
        store: &Store,
        token: TokenHash,
        expires: Timestamp,
    ) -> Result<(), StoreError> {
        store.revoke_token(&token.to_base64(), expires).await?;
        self.unrevoked_tokens.remove(&token);
        Ok(())
    }

    /// Returns the master keys that were last read; none if that has not succeeded yet.
    pub(super) fn master_keys(&self) -> Arc<MasterKeys> {
        match &self.master_keys {
            MasterKeySource::Fixed(keys) => Arc::clone(keys),
            MasterKeySource::Secret(secret) => secret.cached().unwrap_or_default(),
        }
    }

    /// Removes an access key from this process's cache, after a change.
    pub fn evict(&self, id: &AccessKeyId) {
        self.credentials.remove(id);
    }

    fn cache_credential(&self, id: AccessKeyId, credential: Arc<Credential>, since: Timestamp) {
        self.credentials.insert(id, credential, since..since.plus(CACHE_TTL));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Role;

    #[test]
    fn access_key_is_cached_for_five_seconds_or_until_evicted() {
        let keyring = Keyring::default();
        let id: AccessKeyId = "k".parse().unwrap();
        let key = AccessKey {
            id: id.clone(),
            name: "n".to_owned(),
            project: "p".parse().unwrap(),
            account: None,
            user: None,
            roles: vec![Role::Member],
            master_key_id: "m".to_owned(),
            sealed_secret: None,
            created: Timestamp::from_unix_millis(0),
            expires_at: None,
            disabled_at: None,
        };
        let credential = Arc::new(Credential { key, secret: None });
        let since = Timestamp::now();
        keyring.cache_credential(id.clone(), Arc::clone(&credential), since);
        assert!(keyring.credentials.get(&id, since.plus(Duration::from_millis(4_999))).is_some());
        assert!(keyring.credentials.get(&id, since.plus(Duration::from_secs(5))).is_none());
        keyring.evict(&id);
        assert!(keyring.credentials.get(&id, since).is_none());
        keyring.cache_credential(id.clone(), credential, since);
        assert!(keyring.clone().credentials.get(&id, since).is_some(), "clones share the cache");
    }
}
