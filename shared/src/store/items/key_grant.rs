//! The item of a key grant.

use crate::domain::{TenantId, Timestamp};
use crate::store::error::StoreError;
use crate::store::item::{self, Item};
use crate::store::keys::SK;

/// To whom a key is granted, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyGrantRecord {
    /// Who may use the key.
    pub tenant: TenantId,
    /// When it was granted.
    pub created: Timestamp,
}

pub fn parse(item: &Item) -> Result<KeyGrantRecord, StoreError> {
    let created = Timestamp::from_unix_millis(item::get_number(item, "created")?);
    Ok(KeyGrantRecord { tenant: item::get_parsed(item, SK)?, created })
}
