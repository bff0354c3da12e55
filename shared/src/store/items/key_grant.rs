//! The item of a key grant.

use crate::domain::{TenantId, Timestamp};
use crate::store::error::StoreError;
use crate::store::item::{self, Item};
use crate::store::keys::SK;

/// A grant of a key to one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyGrantRecord {
    /// The tenant that may use the key.
    pub tenant: TenantId,
    /// When the key was granted.
    pub created: Timestamp,
}

pub fn parse(item: &Item) -> Result<KeyGrantRecord, StoreError> {
    let created = Timestamp::from_unix_millis(item::get_number(item, "created")?);
    Ok(KeyGrantRecord { tenant: item::get_parsed(item, SK)?, created })
}
