//! The item of a vault, with the sum of its reservations.

use crate::domain::{Stamp, Timestamp, Vault, VaultDetails, VaultId, VaultKey};
use crate::store::error::StoreError;
use crate::store::item::{self, Item};
use crate::store::keys;
use crate::table::Write;

/// The attribute that holds the sum of a vault's reservations.
pub const RESERVED: &str = "reserved_gib";

/// A vault as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultRecord {
    /// The vault's id.
    pub id: VaultId,
    /// The vault.
    pub vault: Vault,
    /// When the vault was created.
    pub created: Timestamp,
}

/// Creates or updates a vault, and keeps the sum of its reservations.
pub fn put(vault: &VaultKey, details: &VaultDetails, at: Stamp) -> Result<Write, StoreError> {
    const SET: &str = "SET vault = :vault, rev = :rev, created = if_not_exists(created, :now), \
                       reserved_gib = if_not_exists(reserved_gib, :zero)";
    Ok(Write::update(keys::vault(vault), SET)
        .value(":vault", item::json(details)?)
        .value(":rev", item::text(at))
        .value(":now", item::number(at.time().unix_millis()))
        .value(":zero", item::number(0)))
}

/// Adds to the sum of a vault's reservations.
pub fn add_reserved(vault: &VaultKey, delta_gib: i64) -> Write {
    Write::update(keys::vault(vault), "ADD reserved_gib :delta").value(":delta", item::number(delta_gib))
}

/// Parses a vault.
pub fn parse(item: &Item) -> Result<Vault, StoreError> {
    Ok(Vault {
        details: item::get_json(item, "vault")?,
        reserved_gib: item::get_number(item, RESERVED)?,
        revision: item::get_parsed(item, item::REV)?,
    })
}

pub fn parse_record(id: VaultId, item: &Item) -> Result<VaultRecord, StoreError> {
    Ok(VaultRecord {
        id,
        vault: parse(item)?,
        created: Timestamp::from_unix_millis(item::get_number(item, "created")?),
    })
}
