//! Grants of keys: each is an item of its own, which a transaction that relies on it can check.

use super::client::Store;
use super::error::StoreError;
use super::item::{self, Item};
use super::items::key_grant::{KeyGrantRecord, parse};
use super::keys;
use crate::domain::{KeyGrant, KeyId, TenantId, Timestamp};
use crate::table::Write;

impl Store {
    /// Grants a key. One write; that it is granted already is no error. Returns since when it is.
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

    /// Withdraws a grant. One write; that there is none is no error.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn delete_key_grant(&self, grant: &KeyGrant) -> Result<(), StoreError> {
        self.update_unconditional(&Write::delete(keys::key_grant(grant))).await.map(drop)
    }

    /// Reads a grant. One read.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn key_grant(&self, grant: &KeyGrant) -> Result<Option<KeyGrantRecord>, StoreError> {
        self.read_one(keys::key_grant(grant)).await?.as_ref().map(parse).transpose()
    }

    /// A page of the grants of a key in the order of the tenants: at most `most`, those after `after`; and whether there
    /// are more. One query.
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

    /// Makes a write that has no condition. Returns what it has changed.
    async fn update_unconditional(&self, write: &Write) -> Result<Item, StoreError> {
        Ok(self.update(write).await?)
    }
}
