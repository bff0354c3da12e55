//! Access keys. A disabled key is listed for 90 days, so that it can still be attributed; then TTL removes it, so that
//! a project that keeps replacing its keys does not fill the table.

use std::time::Duration;

use super::client::Store;
use super::error::{StoreError, WriteError};
use super::images::CreateOutcome;
use super::item;
use super::items::access_key::{access_key_item, parse};
use super::items::idempotency::{IdempotencyRequest, record_created};
use super::keys::{self, GSK, LISTS_INDEX, TTL};
use super::table_calls::is_condition_failure;
use crate::domain::{AccessKey, AccessKeyId, TenantId, Timestamp};
use crate::table::{Query, Write};

/// How long a disabled key is kept.
const DISABLED_KEY_RETENTION: Duration = Duration::from_hours(90 * 24);

impl Store {
    /// Creates an access key under a new id, unless the project has `max_keys` that are not disabled. One transaction:
    /// the key, the project's key count, and the request's idempotency key.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn create_access_key(
        &self,
        key: &AccessKey,
        max_keys: u32,
        idempotency: Option<&IdempotencyRequest>,
    ) -> Result<CreateOutcome, StoreError> {
        let put = Write::put(access_key_item(key)).only_if("attribute_not_exists(pk)");
        let count = Write::update(keys::tenant(&key.project), "ADD access_keys :one")
            .only_if("attribute_not_exists(access_keys) OR access_keys < :max")
            .value(":one", item::number(1))
            .value(":max", item::number(max_keys));
        let request = idempotency.map(|request| record_created(request, key.id.as_str(), key.created));
        let writes: Vec<_> = [put, count].into_iter().chain(request).collect();
        match self.transact(&writes).await {
            Ok(()) => Ok(CreateOutcome::Created),
            Err(WriteError::ConditionFailed(reasons)) if reasons.get(2).is_some_and(is_condition_failure) => {
                Ok(CreateOutcome::IdempotencyKeyUsed)
            }
            Err(WriteError::ConditionFailed(_)) => Ok(CreateOutcome::LimitReached),
            Err(WriteError::Store(error)) => Err(error),
        }
    }

    /// Reads an access key, disabled or not. One read.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn access_key(&self, id: &AccessKeyId) -> Result<Option<AccessKey>, StoreError> {
        self.read_one(keys::access_key(id)).await?.as_ref().map(parse).transpose()
    }

    /// Returns the access keys of a project after `after`, the oldest first, at most `limit`; and whether there may be
    /// more. One query and one batch read for every 100.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn access_keys(
        &self,
        project: &TenantId,
        after: Option<&AccessKeyId>,
        limit: usize,
    ) -> Result<(Vec<AccessKey>, bool), StoreError> {
        let query = match after {
            None => Query::new("gpk = :list"),
            Some(after) => Query::new("gpk = :list AND gsk > :after").value(":after", item::text(after)),
        };
        let query = query.value(":list", item::text(keys::access_key_partition(project)));
        let page = self.query(&Query { index: Some(LISTS_INDEX), limit: Some(limit), ..query }).await?;
        let listed = page.items.iter().map(|found| item::get_parsed(found, GSK));
        let listed = listed.map(|id| id.map(|id: AccessKeyId| keys::access_key(&id)));
        let found = self.read(listed.collect::<Result<_, _>>()?).await?;
        let mut found = found.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        found.sort_by(|a, b| a.id.cmp(&b.id));
        Ok((found, page.next.is_some()))
    }

    /// Disables an access key; does nothing if it is disabled already. One transaction: the key and the project's key
    /// count.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn disable_access_key(&self, key: &AccessKey, now: Timestamp) -> Result<(), StoreError> {
        let disable = Write::update(keys::access_key(&key.id), "SET disabled_at = :now, #ttl = :end")
            .only_if("attribute_exists(pk) AND attribute_not_exists(disabled_at)")
            .name("#ttl", TTL)
            .value(":now", item::number(now.unix_millis()))
            .value(":end", item::number(now.plus(DISABLED_KEY_RETENTION).unix_seconds()));
        let count = Write::update(keys::tenant(&key.project), "ADD access_keys :minus_one");
        match self.transact(&[disable, count.value(":minus_one", item::number(-1))]).await {
            Ok(()) | Err(WriteError::ConditionFailed(_)) => Ok(()),
            Err(WriteError::Store(error)) => Err(error),
        }
    }
}
