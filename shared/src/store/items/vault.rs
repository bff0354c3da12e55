//! The item of a vault, with the sum of its reservations.

use crate::domain::{Timestamp, Vault, VaultId};
use crate::store::error::StoreError;
use crate::store::item::{self, Item};

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

/// Parses a vault.
pub fn parse(item: &Item) -> Result<Vault, StoreError> {
    Ok(Vault {
        details: item::get_json(item, "vault")?,
        reserved_gib: item::get_number(item, RESERVED)?,
        revision: item::get_parsed(item, "rev")?,
    })
}

pub fn parse_record(id: VaultId, item: &Item) -> Result<VaultRecord, StoreError> {
    Ok(VaultRecord {
        id,
        vault: parse(item)?,
        created: Timestamp::from_unix_millis(item::get_number(item, "created")?),
    })
}
