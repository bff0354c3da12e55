//! The directory of tenants. Admins write and list it; any caller can resolve an exact name to its tenant, but only
//! an admin can browse.

use std::collections::HashMap;

use futures_util::future::try_join_all;

use super::{Page, UseCaseError};
use crate::App;
use crate::domain::{
    Caller, Denied, DirectoryEntry, Name, RecipientList, ResolveError, TenantId, TenantName, authorize_admin,
    resolve_tenant,
};
use crate::store::{Commit, PutEntryOutcome, Snapshot, StoreError};

/// Why a request about the directory was refused. A refused request has written nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// The access rule denies it: the caller is no admin.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The tenant has no entry in the directory.
    #[error("tenant {0} is not in the directory")]
    NotFound(TenantId),
    /// Another tenant, this one, has the names.
    #[error("the names belong to tenant {0}")]
    NamesTaken(TenantId),
    /// Another tenant, this one, is bound to the cloud account.
    #[error("the cloud account belongs to tenant {0}")]
    CloudAccountTaken(TenantId),
    /// The names do not resolve to a tenant.
    #[error(transparent)]
    Unresolved(#[from] ResolveError),
    /// Other requests changed the entry in every attempt.
    #[error("tenant {0} is being changed by others")]
    Conflict(TenantId),
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The most attempts while other requests change the entry.
const MAX_ATTEMPTS: u32 = 10;

/// The most queries for accounts that run concurrently.
const MAX_CONCURRENT_QUERIES: usize = 100;

/// Writes the entry of a tenant, in place of an earlier one. Costs one read and one transaction, both again after a
/// conflict; an entry that is unchanged is not written.
///
/// # Errors
/// [`DirectoryError`]; then nothing was changed,
/// unless the table leaves that in doubt ([`InDoubt`](crate::store::StoreError::InDoubt)).
pub async fn put_tenant(app: &App, caller: &Caller, entry: &DirectoryEntry) -> Result<(), DirectoryError> {
    authorize_admin(caller)?;
    for _ in 0..MAX_ATTEMPTS {
        let read = app.store.entry(&entry.tenant).await?;
        if read.as_ref() == Some(entry) {
            return Ok(());
        }
        match app.store.put_entry(read.as_ref(), entry).await? {
            PutEntryOutcome::Written => return Ok(()),
            PutEntryOutcome::NamesTaken(tenant) => return Err(DirectoryError::NamesTaken(tenant)),
            PutEntryOutcome::CloudAccountTaken(tenant) => {
                return Err(DirectoryError::CloudAccountTaken(tenant));
            }
            PutEntryOutcome::Conflict => {}
        }
    }
    Err(DirectoryError::Conflict(entry.tenant.clone()))
}

/// Returns the entry of a tenant: to an admin of any, to another caller of its own project. Costs one read.
///
/// # Errors
/// [`DirectoryError`].
pub async fn show_tenant(
    app: &App,
    caller: &Caller,
    tenant: &TenantId,
) -> Result<DirectoryEntry, DirectoryError> {
    if *tenant != caller.tenant {
        authorize_admin(caller)?;
    }
    app.store.entry(tenant).await?.ok_or_else(|| DirectoryError::NotFound(tenant.clone()))
}

/// Removes a tenant from the directory. It keeps its images and memberships. Costs one read and one transaction, both
/// again after a conflict.
///
/// # Errors
/// [`DirectoryError`]; then nothing was changed,
/// unless the table leaves that in doubt ([`InDoubt`](crate::store::StoreError::InDoubt)).
pub async fn delete_tenant(app: &App, caller: &Caller, tenant: &TenantId) -> Result<(), DirectoryError> {
    authorize_admin(caller)?;
    for _ in 0..MAX_ATTEMPTS {
        let read = show_tenant(app, caller, tenant).await?;
        if app.store.delete_entry(&read).await? == Commit::Committed {
            return Ok(());
        }
    }
    Err(DirectoryError::Conflict(tenant.clone()))
}

/// Lists the directory: at most `limit` entries, after tenant `after`. Costs one query and one batch read.
///
/// # Errors
/// [`DirectoryError`].
pub async fn list_tenants(
    app: &App,
    caller: &Caller,
    after: Option<&TenantId>,
    limit: usize,
) -> Result<Page<DirectoryEntry, TenantId>, DirectoryError> {
    authorize_admin(caller)?;
    let (entries, next) = app.store.entries(after, limit).await?;
    Ok(Page { items: entries, next })
}

/// Resolves names to a tenant in this region, for any caller. Costs one read, or one query if the project's name is
/// left out.
///
/// # Errors
/// [`DirectoryError`].
pub async fn find_tenant(app: &App, named: &TenantName) -> Result<DirectoryEntry, DirectoryError> {
    let found = find_entries(app, named).await?;
    Ok(resolve_tenant(&found, &app.settings.region)?.clone())
}

/// Finds a project by its name in an account, the caller's own if `account` is `None`, in any region. Costs one read,
/// and another one to find the caller's account.
///
/// # Errors
/// [`StoreError`] if the table failed.
pub async fn find_project(
    app: &App,
    caller: &Caller,
    account: Option<&Name>,
    name: &Name,
) -> Result<Option<DirectoryEntry>, StoreError> {
    let own = match account {
        Some(_) => None,
        None => own_entry(app, caller).await?.map(|own| own.account),
    };
    let Some(account) = account.or(own.as_ref()) else { return Ok(None) };
    Ok(app.store.entries_by_name([(account, name)]).await?.into_values().next())
}

/// Returns the directory entry of the caller's project. Costs one read.
///
/// # Errors
/// [`StoreError`] if the table failed.
pub async fn own_entry(app: &App, caller: &Caller) -> Result<Option<DirectoryEntry>, StoreError> {
    app.store.entry(&caller.tenant).await
}

/// Refuses a recipient id that is not in the directory but is the name of a project in the caller's account: the
/// image would be shared with an unknown project of that id. The snapshot has to contain the recipients and the
/// caller's tenant. Costs one batch read, or nothing if the directory contains every recipient, or not the caller.
///
/// # Errors
/// [`UseCaseError::ProjectNameAsId`] for the first such name.
pub(super) async fn reject_names_as_ids(
    app: &App,
    caller: &Caller,
    snapshot: &Snapshot,
    recipients: impl IntoIterator<Item = &TenantId>,
) -> Result<(), UseCaseError> {
    let Some(account) = snapshot.tenant(&caller.tenant).account else { return Ok(()) };
    let unlisted = recipients.into_iter().filter(|tenant| snapshot.tenant(tenant).account.is_none());
    let names: Vec<_> =
        unlisted.filter_map(|tenant| Some((tenant, tenant.as_str().parse::<Name>().ok()?))).collect();
    if names.is_empty() {
        return Ok(());
    }
    let found = app.store.entries_by_name(names.iter().map(|(_, name)| (&account, name))).await?;
    for (named, name) in names {
        if let Some(entry) = found.get(&(account.clone(), name)) {
            return Err(UseCaseError::ProjectNameAsId { named: named.clone(), tenant: entry.tenant.clone() });
        }
    }
    Ok(())
}

/// Resolves the recipients of a request, by id or by name, to tenants without duplicates. Costs one batch read for
/// all that have a project's name, and one query for each that has not, concurrently.
///
/// # Errors
/// [`UseCaseError::Unresolved`] for the first name that does not resolve to a tenant.
pub(super) async fn resolve_tenants(app: &App, named: RecipientList) -> Result<Vec<TenantId>, UseCaseError> {
    let RecipientList { projects: mut tenants, accounts } = named;
    if accounts.is_empty() {
        return Ok(tenants);
    }
    let by_names = accounts.iter().filter_map(|(_, named)| Some((&named.account, named.project.as_ref()?)));
    let by_account: Vec<_> =
        accounts.iter().map(|(_, named)| named).filter(|named| named.project.is_none()).collect();
    let (by_names, by_account) =
        tokio::try_join!(app.store.entries_by_name(by_names), find_accounts(app, &by_account))?;
    for (place, named) in &accounts {
        let found: Vec<_> = match &named.project {
            Some(project) => by_names.get(&(named.account.clone(), project.clone())).into_iter().collect(),
            None => by_account.get(&named.account).into_iter().flatten().collect(),
        };
        let entry = resolve_tenant(found, &app.settings.region)
            .map_err(|problem| UseCaseError::Unresolved { place: *place, problem })?;
        if !tenants.contains(&entry.tenant) {
            tenants.push(entry.tenant.clone());
        }
    }
    Ok(tenants)
}

/// The directory entries that match the names of accounts, by account.
async fn find_accounts(
    app: &App,
    accounts: &[&TenantName],
) -> Result<HashMap<Name, Vec<DirectoryEntry>>, StoreError> {
    let mut found = HashMap::new();
    for some in accounts.chunks(MAX_CONCURRENT_QUERIES) {
        let entries = try_join_all(some.iter().map(|named| find_entries(app, named))).await?;
        found.extend(some.iter().map(|named| named.account.clone()).zip(entries));
    }
    Ok(found)
}

/// The directory entries that match the names.
async fn find_entries(app: &App, named: &TenantName) -> Result<Vec<DirectoryEntry>, StoreError> {
    let (store, account, here) = (&app.store, &named.account, &app.settings.region);
    if let Some(project) = &named.project {
        return Ok(store.entries_by_name([(account, project)]).await?.into_values().collect());
    }
    let is_ambiguous = |found: &[DirectoryEntry]| resolve_tenant(found, here) == Err(ResolveError::Ambiguous);
    let found = store.account_entries(account, is_ambiguous).await?;
    match resolve_tenant(&found, here) {
        Ok(_) | Err(ResolveError::Ambiguous) => Ok(found),
        // A tenant that is renamed during the query may be found under neither name, so query again.
        Err(ResolveError::Unknown | ResolveError::OtherRegion) => {
            store.account_entries(account, is_ambiguous).await
        }
    }
}
