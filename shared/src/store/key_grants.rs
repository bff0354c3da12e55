//! Key grants. Each is an item of its own, so that a transaction that relies on it can check that it exists.

use std::collections::HashSet;

use super::client::Store;
use super::error::StoreError;
use super::item::{self, Item};
use super::items::key_grant::{KeyGrantRecord, parse};
use super::keys::{self, PK, SK, SnapshotItem};
use crate::domain::{KeyGrant, KeyId, TenantId, Timestamp};
use crate::table::Write;

impl Store {
    /// Grants a key, and returns the grant. One that exists already keeps its creation time. One write.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn put_key_grant(
        &self,
        grant: &KeyGrant,
        now: Timestamp,
    ) -> Result<KeyGrantRecord, StoreError> {
        let write = Write::update(keys::key_grant(grant), "SET created = if_not_exists(created, :now)")
            .value(":now", item::number(now.unix_millis()));
        let created = item::get_number(&self.update_unconditional(&write).await?, "created")?;
        Ok(KeyGrantRecord { tenant: grant.tenant.clone(), created: Timestamp::from_unix_millis(created) })
    }

    /// Deletes a key grant; does nothing if it does not exist. One write.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn delete_key_grant(&self, grant: &KeyGrant) -> Result<(), StoreError> {
        self.update_unconditional(&Write::delete(keys::key_grant(grant))).await.map(drop)
    }

    /// Reads a key grant. One read.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn key_grant(&self, grant: &KeyGrant) -> Result<Option<KeyGrantRecord>, StoreError> {
        self.read_one(keys::key_grant(grant)).await?.as_ref().map(parse).transpose()
    }

    /// Returns those of some key grants that do not exist. One batch read for every 100, concurrently.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn missing_key_grants(&self, grants: Vec<KeyGrant>) -> Result<Vec<KeyGrant>, StoreError> {
        let wanted: Vec<_> = grants.iter().map(keys::key_grant).collect();
        let read = self.read_concurrently(&wanted).await?;
        let found = read.iter().map(|item| {
            match SnapshotItem::parse(item::get_text(item, PK)?, item::get_text(item, SK)?) {
                Some(SnapshotItem::KeyGrant(grant)) => Ok(grant),
                _ => Err(StoreError::Unreadable(SK)),
            }
        });
        let found: HashSet<_> = found.collect::<Result<_, StoreError>>()?;
        Ok(grants.into_iter().filter(|grant| !found.contains(grant)).collect())
    }

    /// Returns the grants of a key after `after`, ordered by tenant id, at most `limit`; and whether there are more.
    /// One query.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn key_grants(
        &self,
        (owner, key): (&TenantId, &KeyId),
        after: Option<&TenantId>,
        limit: usize,
    ) -> Result<(Vec<KeyGrantRecord>, bool), StoreError> {
        let start = after.map(|tenant| {
            let (owner, key, tenant) = (owner.clone(), key.clone(), tenant.clone());
            keys::key_grant(&KeyGrant { owner, key, tenant })
        });
        let (items, more) = self.partition_page(keys::key_grant_partition(owner, key), start, limit).await?;
        Ok((items.iter().map(parse).collect::<Result<_, _>>()?, more))
    }

    /// Makes a write that has no condition. Returns the attributes that an update has set.
    async fn update_unconditional(&self, write: &Write) -> Result<Item, StoreError> {
        Ok(self.update(write).await?)
    }
}
