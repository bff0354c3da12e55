//! Nonces of signed requests, so that a request cannot be replayed. TTL removes each one when its request would be
//! rejected as too old anyway.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::client::Store;
use super::error::{StoreError, WriteError};
use super::item;
use super::keys::{self, TTL};
use crate::domain::{AccessKeyId, Timestamp};
use crate::table::Write;

impl Store {
    /// Uses a nonce of an access key, and keeps it for `retention`; `false` if it was used before. One put.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn use_nonce(
        &self,
        access_key: &AccessKeyId,
        nonce: &str,
        now: Timestamp,
        retention: Duration,
    ) -> Result<bool, StoreError> {
        // Distinguishes a retry of this put, whose response was lost, from another use of the nonce.
        let put_id = uuid::Uuid::new_v4().simple().to_string();
        let attributes =
            [("put", item::text(&put_id)), (TTL, item::number(now.plus(retention).unix_seconds()))];
        let key = keys::nonce(access_key, &format!("{:x}", Sha256::digest(nonce)));
        let put = Write::put(item::item(key, attributes))
            .only_if("attribute_not_exists(pk) OR #ttl < :now")
            .name("#ttl", TTL)
            .value(":now", item::number(now.unix_seconds()));
        match self.untracked().write(&[put]).await {
            Ok(()) => Ok(true),
            Err(WriteError::ConditionFailed(reasons)) => {
                let stored = reasons.iter().find_map(|reason| reason.found.as_ref());
                Ok(stored.is_some_and(|item| item::get_text(item, "put").is_ok_and(|put| put == put_id)))
            }
            Err(WriteError::Store(error)) => Err(error),
        }
    }
}
