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
const MAX_KEYS: usize = 10_000;

/// How long a key is remembered.
const IS_KEPT: Duration = Duration::from_secs(5);

/// The master keys, and the access keys that are remembered. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    masters: Arc<MasterKeys>,
    known: Arc<TtlCache<AccessKeyId, Arc<Credential>, Timestamp, MAX_KEYS>>,
    /// Tokens that were issued here and not revoked when the table was asked last.
    unrevoked: Arc<TtlCache<TokenHash, (), Timestamp, MAX_KEYS>>,
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
        Self { masters: Arc::new(masters), ..Self::default() }
    }

    /// The secret for a new access key, and the id of its master key; `None` where the deployment has none.
    pub fn issue(&self, id: &AccessKeyId) -> Option<(String, Secret)> {
        let master = self.masters.newest()?;
        Some((master.to_owned(), self.masters.secret(master, id)?))
    }

    /// The secret of an access key; `None` where its master key is not in use any more.
    pub fn secret_of(&self, key: &AccessKey) -> Option<Secret> {
        self.masters.secret(&key.master, &key.id)
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
        if let Some(known) = self.known.get(id, now) {
            return Ok(Some(known));
        }
        let Some(key) = store.access_key(id).await? else { return Ok(None) };
        let secret = self.masters.secret(&key.master, id);
        let credential = Arc::new(Credential { key, secret });
        // From before the read: what changes while it is under way must not be remembered for longer.
        self.remember(id.clone(), Arc::clone(&credential), now);
        Ok(Some(credential))
    }

    /// Whether a token that was issued here was revoked: one read of the table, none where that is remembered.
    pub(super) async fn is_revoked(
        &self,
        store: &Store,
        token: TokenHash,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        if self.unrevoked.get(&token, now).is_some() {
            return Ok(false);
        }
        let is_revoked = store.is_token_revoked(&token.to_base64()).await?;
        if !is_revoked {
            // From before the read, as for an access key.
            self.unrevoked.put(token, (), now..now.plus(IS_KEPT));
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
        self.unrevoked.remove(&token);
        Ok(())
    }

    /// The master keys.
    pub(super) fn masters(&self) -> &MasterKeys {
        &self.masters
    }

    /// Forgets an access key that was changed here.
    pub fn forget(&self, id: &AccessKeyId) {
        self.known.remove(id);
    }

    fn remember(&self, id: AccessKeyId, credential: Arc<Credential>, since: Timestamp) {
        self.known.put(id, credential, since..since.plus(IS_KEPT));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Role;

    #[test]
    fn a_key_is_remembered_for_five_seconds_or_until_it_is_changed() {
        let keyring = Keyring::default();
        let id: AccessKeyId = "k".parse().unwrap();
        let key = AccessKey {
            id: id.clone(),
            name: "n".to_owned(),
            project: "p".parse().unwrap(),
            account: None,
            user: None,
            roles: vec![Role::Member],
            master: "m".to_owned(),
            created: Timestamp::from_unix_millis(0),
            disabled: None,
        };
        let credential = Arc::new(Credential { key, secret: None });
        let since = Timestamp::now();
        keyring.remember(id.clone(), Arc::clone(&credential), since);
        assert!(keyring.known.get(&id, since.plus(Duration::from_millis(4_999))).is_some());
        assert!(keyring.known.get(&id, since.plus(Duration::from_secs(5))).is_none());
        keyring.forget(&id);
        assert!(keyring.known.get(&id, since).is_none());
        keyring.remember(id.clone(), credential, since);
        assert!(keyring.clone().known.get(&id, since).is_some(), "clones share what they know");
    }
}
