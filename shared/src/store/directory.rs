//! The directory of tenants. An entry is on the tenant's own item, beside its counters, so that reading a tenant reads
//! both. Its names are an item of their own, so that no two tenants can have the same.

use std::collections::HashMap;

use super::client::Store;
use super::error::{StoreError, WriteError};
use super::item;
use super::items::directory_entry::{
    TENANT, if_entry_unchanged, names_attributes, parse, parse_names, with_attribute_names,
};
use super::keys::{self, GSK, LISTS_INDEX};
use super::table_calls::{Commit, is_condition_failure};
use crate::domain::{DirectoryEntry, Name, TenantId};
use crate::table::{Query, Write};

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
}

impl Store {
    /// Reads a tenant's entry; `None` if the tenant is not in the directory. One read.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn entry(&self, tenant: &TenantId) -> Result<Option<DirectoryEntry>, StoreError> {
        self.read_one(keys::tenant(tenant)).await?.as_ref().map_or(Ok(None), parse)
    }

    /// Creates an entry, or replaces it if it is unchanged since `previous` was read. One transaction: the entry, its
    /// names, and the removal of its former names.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn put_entry(
        &self,
        previous: Option<&DirectoryEntry>,
        entry: &DirectoryEntry,
    ) -> Result<PutEntryOutcome, StoreError> {
        const SET: &str =
            "SET #account = :account, #project = :project, #region = :region, gpk = :list, gsk = :tenant";
        let set = Write::update(keys::tenant(&entry.tenant), SET)
            .value(":account", item::text(&entry.account))
            .value(":project", item::text(&entry.project))
            .value(":region", item::text(&entry.region))
            .value(":list", item::text(keys::DIRECTORY_PARTITION))
            .value(":tenant", item::text(&entry.tenant));
        let set = match previous {
            Some(read) => if_entry_unchanged(set, read),
            None => with_attribute_names(set).only_if("attribute_not_exists(#account)"),
        };
        let (names, attributes) =
            (keys::tenant_names(&entry.account, &entry.project), names_attributes(entry));
        let put_names = Write::put(item::item(names.clone(), attributes))
            .only_if("attribute_not_exists(pk) OR #tenant = :tenant")
            .name("#tenant", TENANT)
            .value(":tenant", item::text(&entry.tenant));
        let old_names = previous.map(|read| keys::tenant_names(&read.account, &read.project));
        let delete_names = old_names.filter(|old| *old != names).map(Write::delete);
        let writes: Vec<_> = [set, put_names].into_iter().chain(delete_names).collect();
        let reasons = match self.transact(&writes).await {
            Ok(()) => return Ok(PutEntryOutcome::Written),
            Err(WriteError::Store(error)) => return Err(error),
            Err(WriteError::ConditionFailed(reasons)) => reasons,
        };
        match reasons
            .get(1)
            .filter(|reason| is_condition_failure(reason))
            .and_then(|taken| taken.found.as_ref())
        {
            Some(found) => Ok(PutEntryOutcome::NamesTaken(item::get_parsed(found, TENANT)?)),
            None => Ok(PutEntryOutcome::Conflict),
        }
    }

    /// Deletes an entry and its names, if it is unchanged since it was read. The tenant's counters stay. One
    /// transaction.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn delete_entry(&self, entry: &DirectoryEntry) -> Result<Commit, StoreError> {
        const REMOVE: &str = "REMOVE #account, #project, #region, gpk, gsk";
        let remove = if_entry_unchanged(Write::update(keys::tenant(&entry.tenant), REMOVE), entry);
        self.commit(&[remove, Write::delete(keys::tenant_names(&entry.account, &entry.project))]).await
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
