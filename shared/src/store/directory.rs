//! The directory of tenants. An entry is on the tenant's own item, beside its counters, so that reading a tenant reads
//! both. Its names and its cloud account are items of their own, so that no two tenants can have the same, and its
//! place in an organization is one, so that the organization has a list of its members.

use std::collections::HashMap;

use super::client::Store;
use super::error::{StoreError, WriteError};
use super::item;
use super::items::directory_entry::{
    TENANT, if_entry_unchanged, names_attributes, parse, parse_names, remove_entry, set_entry,
};
use super::keys::{self, GSK, Key, LISTS_INDEX, SK};
use super::table_calls::{Commit, is_condition_failure};
use crate::domain::{CloudAccountId, DirectoryEntry, Name, OrganizationId, TenantId};
use crate::table::{Projection, Query, Write};

/// The most projects of an account that one query reads.
const PROJECTS_PER_PAGE: usize = 100;

/// The outcome of writing an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutEntryOutcome {
    /// The entry is written.
    Written,
    /// Another request has changed or deleted the entry since it was read.
    Conflict,
    /// This other tenant has the names.
    NamesTaken(TenantId),
    /// This other tenant is bound to the cloud account.
    CloudAccountTaken(TenantId),
}

impl Store {
    /// Reads a tenant's entry; `None` if the tenant is not in the directory. One read.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn entry(&self, tenant: &TenantId) -> Result<Option<DirectoryEntry>, StoreError> {
        self.read_one(keys::tenant(tenant)).await?.as_ref().map_or(Ok(None), parse)
    }

    /// Reads the entries of tenants, and leaves out those that have none. An entry that was changed a moment ago may be
    /// the former one. One batch read for every 100, of half a unit each.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn recent_entries<'a>(
        &self,
        tenants: impl IntoIterator<Item = &'a TenantId>,
    ) -> Result<Vec<DirectoryEntry>, StoreError> {
        let keys = tenants.into_iter().map(keys::tenant).collect();
        let found = self.read_eventually(keys, Projection::All).await?;
        let entries = found.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        Ok(entries.into_iter().flatten().collect())
    }

    /// Creates an entry, or replaces it if it is unchanged since `previous` was read. One transaction: the entry, its
    /// names, its place in an organization and its cloud account, and the removal of the former ones.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn put_entry(
        &self,
        previous: Option<&DirectoryEntry>,
        entry: &DirectoryEntry,
    ) -> Result<PutEntryOutcome, StoreError> {
        let set = match previous {
            Some(read) => if_entry_unchanged(set_entry(entry), read),
            None => set_entry(entry).only_if("attribute_not_exists(#account)"),
        };
        let names = item::item(keys::tenant_names(&entry.account, &entry.project), names_attributes(entry));
        let claims = [Some(claim(names, entry)), cloud_account_claim(previous, entry)];
        let mut writes = vec![set];
        writes.extend(claims.into_iter().flatten());
        writes.extend(organization_writes(previous, entry));
        writes.extend(previous.into_iter().flat_map(|read| former_claims(read, Some(entry))));
        let reasons = match self.transact(&writes).await {
            Ok(()) => return Ok(PutEntryOutcome::Written),
            Err(WriteError::Store(error)) => return Err(error),
            Err(WriteError::ConditionFailed(reasons)) => reasons,
        };
        let holder = |index: usize| -> Result<Option<TenantId>, StoreError> {
            let failed = reasons.get(index).filter(|reason| is_condition_failure(reason));
            failed
                .and_then(|taken| taken.found.as_ref())
                .map(|found| item::get_parsed(found, TENANT))
                .transpose()
        };
        if let Some(tenant) = holder(1)? {
            return Ok(PutEntryOutcome::NamesTaken(tenant));
        }
        // Only a claim of a cloud account is a put with a condition at this place.
        Ok(holder(2)?.map_or(PutEntryOutcome::Conflict, PutEntryOutcome::CloudAccountTaken))
    }

    /// Deletes an entry with its names, its place in an organization and its cloud account, if it is unchanged since
    /// it was read. The tenant's counters stay. One transaction.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn delete_entry(&self, entry: &DirectoryEntry) -> Result<Commit, StoreError> {
        let mut writes = vec![if_entry_unchanged(remove_entry(&entry.tenant), entry)];
        writes.extend(former_claims(entry, None));
        writes.extend(entry.organization.iter().map(|former| leave(former, &entry.tenant)));
        self.commit(&writes).await
    }

    /// Finds the tenant that a cloud account is bound to; `None` if it is bound to none. One read.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn tenant_of_cloud_account(
        &self,
        account: &CloudAccountId,
    ) -> Result<Option<TenantId>, StoreError> {
        let found = self.read_one(keys::cloud_account(account)).await?;
        found.as_ref().map(|found| item::get_parsed(found, TENANT)).transpose()
    }

    /// Returns the members of an organization after `after`, ordered by tenant id, at most `limit`; and where the next
    /// page starts, if there may be one. One query, strongly consistent.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn organization_members(
        &self,
        organization: &OrganizationId,
        after: Option<&TenantId>,
        limit: usize,
    ) -> Result<(Vec<TenantId>, Option<TenantId>), StoreError> {
        let query = match after {
            None => Query::new("pk = :organization"),
            Some(after) => {
                Query::new("pk = :organization AND sk > :after").value(":after", item::text(after))
            }
        };
        let partition = item::text(keys::organization_partition(organization));
        let query = query.value(":organization", partition);
        let page = self.query(&Query { consistent: true, limit: Some(limit), ..query }).await?;
        let members = page.items.iter().map(|found| item::get_parsed(found, SK));
        let members = members.collect::<Result<Vec<TenantId>, _>>()?;
        let next = members.last().filter(|_| page.next.is_some()).cloned();
        Ok((members, next))
    }

    /// Returns the entries after `after`, ordered by tenant id, at most `limit`; and where the next page starts, if
    /// there may be one. One query and one batch read for every 100.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn entries(
        &self,
        after: Option<&TenantId>,
        limit: usize,
    ) -> Result<(Vec<DirectoryEntry>, Option<TenantId>), StoreError> {
        let query = match after {
            None => Query::new("gpk = :list"),
            Some(after) => Query::new("gpk = :list AND gsk > :after").value(":after", item::text(after)),
        };
        let query = query.value(":list", item::text(keys::DIRECTORY_PARTITION));
        let page = self.query(&Query { index: Some(LISTS_INDEX), limit: Some(limit), ..query }).await?;
        let tenants = page.items.iter().map(|found| item::get_parsed(found, GSK));
        let tenants = tenants.collect::<Result<Vec<TenantId>, _>>()?;
        let found = self.read(tenants.iter().map(keys::tenant).collect()).await?;
        let entries = found.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        let mut entries: Vec<_> = entries.into_iter().flatten().collect();
        entries.sort_by(|a, b| a.tenant.cmp(&b.tenant));
        Ok((entries, tenants.into_iter().next_back().filter(|_| page.next.is_some())))
    }

    /// Finds entries by account and project name, and leaves out those that do not exist. One batch read for every 100.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn entries_by_name<'a>(
        &self,
        names: impl IntoIterator<Item = (&'a Name, &'a Name)>,
    ) -> Result<HashMap<(Name, Name), DirectoryEntry>, StoreError> {
        let keys = names.into_iter().map(|(account, project)| keys::tenant_names(account, project));
        let found = self.read(keys.collect()).await?;
        let entries = found.iter().map(parse_names).map(|entry| {
            let entry = entry?;
            Ok(((entry.account.clone(), entry.project.clone()), entry))
        });
        entries.collect()
    }

    /// Finds the entries of an account. Stops early if `is_enough` is true for those found. One query for every 100
    /// projects.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn account_entries(
        &self,
        account: &Name,
        is_enough: impl Fn(&[DirectoryEntry]) -> bool,
    ) -> Result<Vec<DirectoryEntry>, StoreError> {
        let query =
            Query::new("pk = :account").value(":account", item::text(keys::account_partition(account)));
        let mut query = Query { consistent: true, limit: Some(PROJECTS_PER_PAGE), ..query };
        let mut entries = Vec::new();
        loop {
            let page = self.query(&query).await?;
            for found in &page.items {
                entries.push(parse_names(found)?);
            }
            query.start = page.next;
            if query.start.is_none() || is_enough(&entries) {
                return Ok(entries);
            }
        }
    }
}

/// Puts an item that only one tenant can have. The condition fails if another one has it.
fn claim(claimed: item::Item, entry: &DirectoryEntry) -> Write {
    Write::put(claimed)
        .only_if("attribute_not_exists(pk) OR #tenant = :tenant")
        .name("#tenant", TENANT)
        .value(":tenant", item::text(&entry.tenant))
}

/// Claims the cloud account of an entry, unless the entry had it before.
fn cloud_account_claim(previous: Option<&DirectoryEntry>, entry: &DirectoryEntry) -> Option<Write> {
    let former = previous.and_then(|read| read.cloud_account.as_ref());
    let account = entry.cloud_account.as_ref().filter(|account| Some(*account) != former)?;
    let binding = item::item(keys::cloud_account(account), [(TENANT, item::text(&entry.tenant))]);
    Some(claim(binding, entry))
}

/// Moves a tenant from its former organization to its new one.
fn organization_writes(previous: Option<&DirectoryEntry>, entry: &DirectoryEntry) -> Vec<Write> {
    let former = previous.and_then(|read| read.organization.as_ref());
    let new = entry.organization.as_ref();
    if former == new {
        return Vec::new();
    }
    let join = new.map(|new| {
        let attributes: [(String, item::AttributeValue); 0] = [];
        Write::put(item::item(keys::organization_member(new, &entry.tenant), attributes))
    });
    let leave = former.map(|former| leave(former, &entry.tenant));
    join.into_iter().chain(leave).collect()
}

fn leave(organization: &OrganizationId, tenant: &TenantId) -> Write {
    Write::delete(keys::organization_member(organization, tenant))
}

/// Deletes the names and the cloud account of an entry that its successor, if any, does not have.
fn former_claims(former: &DirectoryEntry, new: Option<&DirectoryEntry>) -> impl Iterator<Item = Write> {
    let claims = |entry: &DirectoryEntry| -> Vec<Key> {
        let names = keys::tenant_names(&entry.account, &entry.project);
        std::iter::once(names).chain(entry.cloud_account.iter().map(keys::cloud_account)).collect()
    };
    let kept = new.map(claims).unwrap_or_default();
    claims(former).into_iter().filter(move |key| !kept.contains(key)).map(Write::delete)
}
