//! The items of a directory entry: attributes of the tenant's item, and an item for its names.

use crate::domain::DirectoryEntry;
use crate::store::error::StoreError;
use crate::store::item::{self, Item};
use crate::store::keys::{self, PK, SK};
use crate::table::Write;

/// The attribute of the names that holds their tenant.
pub const TENANT: &str = "tenant";

/// Sets placeholders for the attributes of an entry, some of which have reserved words of DynamoDB as names.
pub fn with_attribute_names(write: Write) -> Write {
    write.name("#account", "account").name("#project", "project").name("#region", "region")
}

/// Adds the condition that the entry is unchanged since it was read.
pub fn if_entry_unchanged(write: Write, entry: &DirectoryEntry) -> Write {
    with_attribute_names(write)
        .only_if("#account = :read_account AND #project = :read_project AND #region = :read_region")
        .value(":read_account", item::text(&entry.account))
        .value(":read_project", item::text(&entry.project))
        .value(":read_region", item::text(&entry.region))
}

pub fn names_attributes(entry: &DirectoryEntry) -> [(&'static str, item::AttributeValue); 2] {
    [(TENANT, item::text(&entry.tenant)), ("region", item::text(&entry.region))]
}

/// Parses an entry from a tenant's item; `None` if the tenant is not in the directory.
pub fn parse(found: &Item) -> Result<Option<DirectoryEntry>, StoreError> {
    if !found.contains_key("account") {
        return Ok(None);
    }
    let tenant =
        keys::parse_tenant_partition(item::get_text(found, PK)?).ok_or(StoreError::Unreadable(PK))?;
    Ok(Some(DirectoryEntry {
        tenant,
        account: item::get_parsed(found, "account")?,
        project: item::get_parsed(found, "project")?,
        region: item::get_parsed(found, "region")?,
    }))
}

/// Parses an entry from the item of its names.
pub fn parse_names(found: &Item) -> Result<DirectoryEntry, StoreError> {
    let names = keys::parse_tenant_names(item::get_text(found, PK)?, item::get_text(found, SK)?);
    let (account, project) = names.ok_or(StoreError::Unreadable(SK))?;
    Ok(DirectoryEntry {
        tenant: item::get_parsed(found, TENANT)?,
        account,
        project,
        region: item::get_parsed(found, "region")?,
    })
}
