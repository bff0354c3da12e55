//! Tokens that were revoked before their end. TTL forgets them when they have expired anyway.

use super::client::Store;
use super::error::{StoreError, WriteError};
use super::item;
use super::keys::{self, TTL};
use crate::domain::Timestamp;
use crate::table::Write;

impl Store {
    /// Remembers, as long as the token of that hash would be good, that it is not. One put.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub(crate) async fn revoke_token(&self, digest: &str, expires: Timestamp) -> Result<(), StoreError> {
        let attributes = [(TTL, item::number(expires.unix_seconds()))];
        let put = Write::put(item::item(keys::revoked_token(digest), attributes));
        match self.write(&[put]).await {
            // It has no condition that could fail.
            Ok(()) | Err(WriteError::ConditionFailed(_)) => Ok(()),
            Err(WriteError::Store(error)) => Err(error),
        }
    }

    /// Whether the token of that hash was revoked. One read.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub(crate) async fn is_token_revoked(&self, digest: &str) -> Result<bool, StoreError> {
        Ok(self.read_one(keys::revoked_token(digest)).await?.is_some())
    }
}
