//! The access keys that this process has met, with their secrets.
//!
//! An access key is read once and then remembered for a few seconds, so that a client that sends many requests does not
//! cost a read for each. That is also how long a key that was disabled may go on working in another process than the one
//! that disabled it. Keys that do not exist are not remembered: a new one works at once.
//!
//! The seconds are those of the clock on the wall: that of the process stands still while Lambda freezes a function between
//! two requests, and a key would be remembered for as long as nobody asks.

use std::sync::Arc;
use std::time::Duration;

use super::master_keys::{MasterKeys, Secret};
use super::token_hash::TokenHash;
use super::ttl_cache::TtlCache;
use crate::domain::{AccessKey, AccessKeyId, Timestamp};
use crate::store::{Store, StoreError};

/// The most access keys that are remembered, and tokens.
const MAX_CACHED_ENTRIES: usize = 10_000;

/// How long a key is remembered.
const CACHE_TTL: Duration = Duration::from_secs(5);

/// The master keys, and the access keys that are remembered. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    master_keys: Arc<MasterKeys>,
    credentials: Arc<TtlCache<AccessKeyId, Arc<Credential>, Timestamp, MAX_CACHED_ENTRIES>>,
    /// Tokens that were issued here and not revoked when the table was asked last.
    unrevoked_tokens: Arc<TtlCache<TokenHash, (), Timestamp, MAX_CACHED_ENTRIES>>,
}

/// An access key, and its secret where its master key is still in use.
#[derive(Debug)]
pub struct Credential {
    /// The key.
    pub key: AccessKey,
    /// The secret.
    pub secret: Option<Secret>,
}

impl Keyring {
    /// A keyring that derives secrets from those master keys.
    pub fn new(masters: MasterKeys) -> Self {
        Self { master_keys: Arc::new(masters), ..Self::default() }
    }

    /// The secret for a new access key, and the id of its master key; `None` where the deployment has none.
    pub fn derive_new_secret(&self, id: &AccessKeyId) -> Option<(String, Secret)> {
        let master = self.master_keys.newest()?;
        Some((master.to_owned(), self.master_keys.secret(master, id)?))
    }

    /// The secret of an access key; `None` where its master key is not in use any more.
    pub fn secret_for(&self, key: &AccessKey) -> Option<Secret> {
        self.master_keys.secret(&key.master_key_id, &key.id)
    }

    /// Finds an access key for a request that came at that time: at most one read of the table, none where it is
    /// remembered.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn find(
        &self,
        store: &Store,
        id: &AccessKeyId,
        now: Timestamp,
    ) -> Result<Option<Arc<Credential>>, StoreError> {
        if let Some(known) = self.credentials.get(id, now) {
            return Ok(Some(known));
        }
        let Some(key) = store.access_key(id).await? else { return Ok(None) };
        let secret = self.master_keys.secret(&key.master_key_id, id);
        let credential = Arc::new(Credential { key, secret });
        // From before the read: what changes while it is under way must not be remembered for longer.
        self.cache_credential(id.clone(), Arc::clone(&credential), now);
        Ok(Some(credential))
    }

    /// Whether a token that was issued here was revoked: one read of the table, none where that is remembered.
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
            // From before the read, as for an access key.
            self.unrevoked_tokens.insert(token, (), now..now.plus(CACHE_TTL));
        }
        Ok(is_revoked)
    }

    /// Revokes a token that was issued here; other processes may take it for a few seconds more. One put.
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

    /// The master keys.
    pub(super) fn master_keys(&self) -> &MasterKeys {
        &self.master_keys
    }

    /// Forgets an access key that was changed here.
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
            created: Timestamp::from_unix_millis(0),
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
        assert!(keyring.clone().credentials.get(&id, since).is_some(), "clones share what they know");
    }
}
