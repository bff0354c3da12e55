//! Tokens that were revoked before they expire. TTL removes each one once its token has expired.

use super::client::Store;
use super::error::{StoreError, WriteError};
use super::item;
use super::keys::{self, TTL};
use crate::domain::Timestamp;
use crate::table::Write;

impl Store {
    /// Revokes the token with this hash, until it expires. One put.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub(crate) async fn revoke_token(&self, digest: &str, expires: Timestamp) -> Result<(), StoreError> {
        let attributes = [(TTL, item::number(expires.unix_seconds()))];
        let put = Write::put(item::item(keys::revoked_token(digest), attributes));
        match self.write(&[put]).await {
            // The put has no condition that could fail.
            Ok(()) | Err(WriteError::ConditionFailed(_)) => Ok(()),
            Err(WriteError::Store(error)) => Err(error),
        }
    }

    /// Returns whether the token with this hash was revoked. One read.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub(crate) async fn is_token_revoked(&self, digest: &str) -> Result<bool, StoreError> {
        Ok(self.read_one(keys::revoked_token(digest)).await?.is_some())
    }
}
