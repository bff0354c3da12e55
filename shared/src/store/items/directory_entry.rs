//! The items of a directory entry: attributes of the tenant's item, an item for its names, and one each for its
//! organization and its cloud account, if it has them.

use crate::domain::{DirectoryEntry, TenantId};
use crate::store::error::StoreError;
use crate::store::item::{self, AttributeValue, Item};
use crate::store::keys::{self, PK, SK};
use crate::table::Write;

/// The attribute that holds the tenant in the items of its names and of its cloud account.
pub const TENANT: &str = "tenant";
const ORGANIZATION: &str = "organization";
const CLOUD_ACCOUNT: &str = "cloud_account";

/// The update expression that sets an entry, with the placeholders of [`set_entry`].
macro_rules! set_expression {
    ($rest:literal) => {
        concat!(
            "SET #account = :account, #project = :project, #region = :region, gpk = :list, gsk = :tenant",
            $rest
        )
    };
}

/// Sets all attributes of an entry on its tenant's item, and removes those that it does not have.
pub fn set_entry(entry: &DirectoryEntry) -> Write {
    let expression = match (&entry.organization, &entry.cloud_account) {
        (Some(_), Some(_)) => {
            set_expression!(", #organization = :organization, #cloud_account = :cloud_account")
        }
        (Some(_), None) => set_expression!(", #organization = :organization REMOVE #cloud_account"),
        (None, Some(_)) => set_expression!(", #cloud_account = :cloud_account REMOVE #organization"),
        (None, None) => set_expression!(" REMOVE #organization, #cloud_account"),
    };
    let set = with_attribute_names(Write::update(keys::tenant(&entry.tenant), expression))
        .value(":account", item::text(&entry.account))
        .value(":project", item::text(&entry.project))
        .value(":region", item::text(&entry.region))
        .value(":list", item::text(keys::DIRECTORY_PARTITION))
        .value(":tenant", item::text(&entry.tenant));
    with_optional(
        with_optional(set, ":organization", entry.organization.as_ref()),
        ":cloud_account",
        entry.cloud_account.as_ref(),
    )
}

/// Removes all attributes of an entry from its tenant's item.
pub fn remove_entry(tenant: &TenantId) -> Write {
    const REMOVE: &str = "REMOVE #account, #project, #region, #organization, #cloud_account, gpk, gsk";
    with_attribute_names(Write::update(keys::tenant(tenant), REMOVE))
}

/// Sets placeholders for the attributes of an entry, some of which have reserved words of DynamoDB as names.
fn with_attribute_names(write: Write) -> Write {
    write
        .name("#account", "account")
        .name("#project", "project")
        .name("#region", "region")
        .name("#organization", ORGANIZATION)
        .name("#cloud_account", CLOUD_ACCOUNT)
}

/// Sets a placeholder if it has a value.
fn with_optional(write: Write, name: &'static str, value: Option<&impl ToString>) -> Write {
    match value {
        Some(value) => write.value(name, AttributeValue::S(value.to_string())),
        None => write,
    }
}

/// Adds the condition that the entry is unchanged since it was read. The write has to have the names of its
/// attributes.
pub fn if_entry_unchanged(write: Write, entry: &DirectoryEntry) -> Write {
    let write = write
        .only_if("#account = :read_account AND #project = :read_project AND #region = :read_region")
        .and_if(match &entry.organization {
            Some(_) => "#organization = :read_organization",
            None => "attribute_not_exists(#organization)",
        })
        .and_if(match &entry.cloud_account {
            Some(_) => "#cloud_account = :read_cloud_account",
            None => "attribute_not_exists(#cloud_account)",
        })
        .value(":read_account", item::text(&entry.account))
        .value(":read_project", item::text(&entry.project))
        .value(":read_region", item::text(&entry.region));
    let write = with_optional(write, ":read_organization", entry.organization.as_ref());
    with_optional(write, ":read_cloud_account", entry.cloud_account.as_ref())
}

/// The attributes of the item of an entry's names.
pub fn names_attributes(entry: &DirectoryEntry) -> Vec<(&'static str, AttributeValue)> {
    let optional = [
        (ORGANIZATION, entry.organization.as_ref().map(item::text)),
        (CLOUD_ACCOUNT, entry.cloud_account.as_ref().map(item::text)),
    ];
    let optional = optional.into_iter().filter_map(|(name, value)| Some((name, value?)));
    [(TENANT, item::text(&entry.tenant)), ("region", item::text(&entry.region))]
        .into_iter()
        .chain(optional)
        .collect()
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
        organization: find_parsed(found, ORGANIZATION)?,
        cloud_account: find_parsed(found, CLOUD_ACCOUNT)?,
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
        organization: find_parsed(found, ORGANIZATION)?,
        cloud_account: find_parsed(found, CLOUD_ACCOUNT)?,
    })
}

/// Reads and parses a text attribute; `None` if the item does not have it, as one of an earlier release.
fn find_parsed<T: std::str::FromStr>(found: &Item, name: &'static str) -> Result<Option<T>, StoreError> {
    if found.contains_key(name) { item::get_parsed(found, name).map(Some) } else { Ok(None) }
}
