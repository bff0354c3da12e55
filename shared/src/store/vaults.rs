//! Vaults. Each is an item in its owner's partition, with the sum of its reservations.

use super::client::Store;
use super::error::{StoreError, WriteError};
use super::item;
use super::items::vault::{self, RESERVED, VaultRecord, parse_record};
use super::keys::{self, SK};
use crate::domain::{Stamp, TenantId, VaultDetails, VaultId, VaultKey};
use crate::table::Write;

/// The outcome of deleting a vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteVaultOutcome {
    /// The vault does not exist any more.
    Deleted,
    /// Some of its capacity is reserved.
    InUse,
}

impl Store {
    /// Creates or updates a vault, and returns it; `None`, and nothing is written, if more is reserved than its new
    /// capacity. One write.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn put_vault(
        &self,
        key: &VaultKey,
        details: &VaultDetails,
        at: Stamp,
    ) -> Result<Option<VaultRecord>, StoreError> {
        let write = vault::put(key, details, at)?
            .only_if(format!("attribute_not_exists(pk) OR {RESERVED} <= :capacity"))
            .value(":capacity", item::number(details.capacity_gib));
        match self.update(&write).await {
            Ok(updated) => parse_record(key.1.clone(), &updated).map(Some),
            Err(WriteError::ConditionFailed(_)) => Ok(None),
            Err(WriteError::Store(error)) => Err(error),
        }
    }

    /// Deletes a vault without reservations; does nothing if it does not exist. One write.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn delete_vault(&self, key: &VaultKey) -> Result<DeleteVaultOutcome, StoreError> {
        let write = Write::delete(keys::vault(key))
            .only_if(format!("attribute_not_exists(pk) OR {RESERVED} = :zero"))
            .value(":zero", item::number(0));
        match self.update(&write).await {
            Ok(_) => Ok(DeleteVaultOutcome::Deleted),
            Err(WriteError::ConditionFailed(_)) => Ok(DeleteVaultOutcome::InUse),
            Err(WriteError::Store(error)) => Err(error),
        }
    }

    /// Reads a vault. One read.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn vault(&self, key: &VaultKey) -> Result<Option<VaultRecord>, StoreError> {
        let item = self.read_one(keys::vault(key)).await?;
        item.map(|item| parse_record(key.1.clone(), &item)).transpose()
    }

    /// Returns a tenant's vaults after `after`, ordered by id, at most `limit`; and whether there are more. One query.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn vaults(
        &self,
        tenant: &TenantId,
        after: Option<&VaultId>,
        limit: usize,
    ) -> Result<(Vec<VaultRecord>, bool), StoreError> {
        let start = after.map(|vault| keys::vault(&(tenant.clone(), vault.clone())));
        let (items, more) = self.partition_page(keys::vault_partition(tenant), start, limit).await?;
        let vaults = items.iter().map(|item| parse_record(item::get_parsed(item, SK)?, item));
        Ok((vaults.collect::<Result<_, _>>()?, more))
    }
}
