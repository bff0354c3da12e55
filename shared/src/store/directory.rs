//! The directory of tenants. An entry stands on the tenant's own item, beside its counters, so that a transaction which
//! asks for the one asks for the other as well; the names stand in an item of their own, which nobody else can have.

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

/// How many of an account's projects are read at a time.
const PROJECTS_PER_PAGE: usize = 100;

/// What came of writing an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutEntryOutcome {
    /// It is written.
    Written,
    /// It was changed or deleted by somebody else in the meantime.
    Conflict,
    /// Its names are those of that tenant.
    NamesTaken(TenantId),
}

impl Store {
    /// Reads what the directory says of a tenant.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn entry(&self, tenant: &TenantId) -> Result<Option<DirectoryEntry>, StoreError> {
        self.read_one(keys::tenant(tenant)).await?.as_ref().map_or(Ok(None), parse)
    }

    /// Writes an entry onto what was read of it. One transaction: the entry, its names, and the names that it gives up.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
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
        let delete_names = old_names.filter(|former| *former != names).map(Write::delete);
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

    /// Deletes an entry as it was read, and its names; the tenant's counters stay. One transaction.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn delete_entry(&self, entry: &DirectoryEntry) -> Result<Commit, StoreError> {
        const REMOVE: &str = "REMOVE #account, #project, #region, gpk, gsk";
        let remove = if_entry_unchanged(Write::update(keys::tenant(&entry.tenant), REMOVE), entry);
        self.commit(&[remove, Write::delete(keys::tenant_names(&entry.account, &entry.project))]).await
    }

    /// At most `most` entries in the order of the tenants' ids, those after `after`; and after which to go on, where there
    /// may be more.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
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

    /// Finds tenants by their two names; missing ones are missing. One batch read.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
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

    /// Finds the tenants of an account: all of them, or as many as it takes to be `enough`. Mostly one query.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
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
