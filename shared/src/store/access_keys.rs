//! Access keys. A key that was disabled or has expired is listed for 90 days, so that it can still be attributed; then TTL
//! removes it, so that a project that keeps replacing its keys does not fill the table.
//!
//! The limit of a project's keys is exact for those that do not expire, which the tenant's item counts. Nothing is
//! written when a key expires, so those that do are counted in an index, which may be a moment behind.

use super::client::Store;
use super::error::{StoreError, WriteError};
use super::images::CreateOutcome;
use super::item;
use super::items::access_key::{ENDED_KEY_RETENTION, access_key_item, parse};
use super::items::idempotency::{IdempotencyRequest, record_created};
use super::keys::{self, GSK, Index, LISTS_INDEX, TTL, sortable_time};
use super::table_calls::is_condition_failure;
use crate::domain::{AccessKey, AccessKeyId, TenantId, Timestamp};
use crate::table::{Projection, Query, Write};

impl Store {
    /// Creates an access key under a new id, unless the project has `max_keys` that are enabled. One query, and one
    /// transaction: the key, the project's key count, and the request's idempotency key.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn create_access_key(
        &self,
        key: &AccessKey,
        max_keys: u32,
        idempotency: Option<&IdempotencyRequest>,
    ) -> Result<CreateOutcome, StoreError> {
        let expiring = self.count_expiring_keys(&key.project, key.created, max_keys).await?;
        let Some(max_others) = max_keys.checked_sub(expiring).filter(|rest| *rest > 0) else {
            return Ok(CreateOutcome::LimitReached);
        };
        let put = Write::put(access_key_item(key)).only_if("attribute_not_exists(pk)");
        let count = Write::update(keys::tenant(&key.project), "ADD access_keys :counted")
            .only_if("attribute_not_exists(access_keys) OR access_keys < :max")
            .value(":counted", item::number(u8::from(key.expires_at.is_none())))
            .value(":max", item::number(max_others));
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

    /// Counts the enabled access keys of a project that expire, up to `limit`. One query for each megabyte.
    async fn count_expiring_keys(
        &self,
        project: &TenantId,
        now: Timestamp,
        limit: u32,
    ) -> Result<u32, StoreError> {
        let query = Query::new("upk = :keys AND usk > :now")
            .value(":keys", item::text(keys::access_key_partition(project)))
            .value(":now", item::text(sortable_time(now)));
        let mut query = Query { index: Some(Index::Updates.name()), projection: Projection::Count, ..query };
        let mut count = 0;
        loop {
            let page = self.query(&query).await?;
            count += u32::try_from(page.count).unwrap_or(u32::MAX);
            query.start = page.next;
            if query.start.is_none() || count >= limit {
                return Ok(count.min(limit));
            }
        }
    }

    /// Renames an access key, disabled or not; returns whether it still exists. One write.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn rename_access_key(&self, id: &AccessKeyId, name: &str) -> Result<bool, StoreError> {
        let rename = Write::update(keys::access_key(id), "SET #name = :name")
            .only_if("attribute_exists(pk)")
            .name("#name", "name")
            .value(":name", item::text(name));
        match self.update(&rename).await {
            Ok(_) => Ok(true),
            Err(WriteError::ConditionFailed(_)) => Ok(false),
            Err(WriteError::Store(error)) => Err(error),
        }
    }

    /// Disables an access key; does nothing if it is disabled already. One transaction: the key and the project's key
    /// count, which does not include a key that expires.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn disable_access_key(&self, key: &AccessKey, now: Timestamp) -> Result<(), StoreError> {
        let end = key.expires_at.map_or(now, |expiry| expiry.min(now)).plus(ENDED_KEY_RETENTION);
        let disable =
            Write::update(keys::access_key(&key.id), "SET disabled_at = :now, #ttl = :end REMOVE upk, usk")
                .only_if("attribute_exists(pk) AND attribute_not_exists(disabled_at)")
                .name("#ttl", TTL)
                .value(":now", item::number(now.unix_millis()))
                .value(":end", item::number(end.unix_seconds()));
        let count = Write::update(keys::tenant(&key.project), "ADD access_keys :minus_one")
            .value(":minus_one", item::number(-1));
        let count = key.expires_at.is_none().then_some(count);
        let writes: Vec<_> = std::iter::once(disable).chain(count).collect();
        match self.transact(&writes).await {
            Ok(()) | Err(WriteError::ConditionFailed(_)) => Ok(()),
            Err(WriteError::Store(error)) => Err(error),
        }
    }
}
