//! The directory of tenants: an admin says who is called what, and whoever knows a name finds who has it. Nobody but an
//! admin can browse.

use std::collections::HashMap;

use futures_util::future::try_join_all;

use super::{Page, UseCaseError};
use crate::App;
use crate::domain::{
    Caller, DirectoryEntry, Name, RecipientList, ResolveError, Role, TenantId, TenantName, resolve_tenant,
};
use crate::store::{Commit, PutEntryOutcome, Snapshot, StoreError};

/// Why something was not done with the directory. What was refused wrote nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// Only an admin may; the caller has that role.
    #[error("the role admin is needed, not {}", .0.name())]
    AdminOnly(Role),
    /// The directory says nothing of that tenant.
    #[error("tenant {0} is not in the directory")]
    NotFound(TenantId),
    /// The names are those of another tenant, of that one.
    #[error("tenant {0} has these names")]
    NamesTaken(TenantId),
    /// The names lead to no tenant.
    #[error(transparent)]
    Unresolved(#[from] ResolveError),
    /// Somebody else changes the same entry all the time.
    #[error("tenant {0} is being changed by others")]
    Conflict(TenantId),
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How often a change is made anew because somebody else changed the entry in between.
const MAX_ATTEMPTS: u32 = 10;

/// Writes what the directory says of a tenant, in the place of what it said. One read and one transaction; both again where
/// somebody else changed the entry in between; nothing is written where it says so already.
///
/// # Errors
/// [`DirectoryError`]; then nothing was changed.
pub async fn put_tenant(app: &App, caller: &Caller, entry: &DirectoryEntry) -> Result<(), DirectoryError> {
    require_admin(caller)?;
    for _ in 0..MAX_ATTEMPTS {
        let read = app.store.entry(&entry.tenant).await?;
        if read.as_ref() == Some(entry) {
            return Ok(());
        }
        match app.store.put_entry(read.as_ref(), entry).await? {
            PutEntryOutcome::Written => return Ok(()),
            PutEntryOutcome::NamesTaken(tenant) => return Err(DirectoryError::NamesTaken(tenant)),
            PutEntryOutcome::Conflict => {}
        }
    }
    Err(DirectoryError::Conflict(entry.tenant.clone()))
}

/// Reads what the directory says of a tenant. One read.
///
/// # Errors
/// [`DirectoryError`].
pub async fn show_tenant(
    app: &App,
    caller: &Caller,
    tenant: &TenantId,
) -> Result<DirectoryEntry, DirectoryError> {
    require_admin(caller)?;
    app.store.entry(tenant).await?.ok_or_else(|| DirectoryError::NotFound(tenant.clone()))
}

/// Takes a tenant out of the directory: it goes on having its images and memberships. One read and one transaction; both
/// again where somebody else changed the entry in between.
///
/// # Errors
/// [`DirectoryError`]; then nothing was changed.
pub async fn delete_tenant(app: &App, caller: &Caller, tenant: &TenantId) -> Result<(), DirectoryError> {
    for _ in 0..MAX_ATTEMPTS {
        let read = show_tenant(app, caller, tenant).await?;
        if app.store.delete_entry(&read).await? == Commit::Committed {
            return Ok(());
        }
    }
    Err(DirectoryError::Conflict(tenant.clone()))
}

/// Lists the directory: at most `most` entries, those after `after`. One query and one batch read.
///
/// # Errors
/// [`DirectoryError`].
pub async fn list_tenants(
    app: &App,
    caller: &Caller,
    after: Option<&TenantId>,
    limit: usize,
) -> Result<Page<DirectoryEntry, TenantId>, DirectoryError> {
    require_admin(caller)?;
    let (entries, next) = app.store.entries(after, limit).await?;
    Ok(Page { items: entries, next })
}

/// Finds the tenant of these names in this region, for whoever knows them. One read; without the project's name one query.
///
/// # Errors
/// [`DirectoryError`].
pub async fn find_tenant(app: &App, named: &TenantName) -> Result<DirectoryEntry, DirectoryError> {
    let found = find_entries(app, named).await?;
    Ok(resolve_tenant(&found, &app.settings.region)?.clone())
}

/// Finds the project of that name in an account: the named one, or the caller's own; in whatever region. One read, and
/// another for the caller's own account.
///
/// # Errors
/// [`StoreError`] where the table failed.
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

/// Reads what the directory says of the caller's project. One read.
///
/// # Errors
/// [`StoreError`] where the table failed.
pub async fn own_entry(app: &App, caller: &Caller) -> Result<Option<DirectoryEntry>, StoreError> {
    app.store.entry(&caller.tenant).await
}

/// Refuses recipients that the directory does not know by their ids, but by their names in the caller's account: the
/// image would go to a project that has that name for its id. `read` holds the recipients and the caller's own project.
/// Reads nothing where the directory knows every recipient or not the caller; else one batch read.
///
/// # Errors
/// [`UseCaseError::ProjectNameAsId`] for the first such name.
pub(super) async fn reject_names_as_ids(
    app: &App,
    caller: &Caller,
    read: &Snapshot,
    recipients: impl IntoIterator<Item = &TenantId>,
) -> Result<(), UseCaseError> {
    let Some(account) = read.tenant(&caller.tenant).account else { return Ok(()) };
    let unlisted = recipients.into_iter().filter(|tenant| read.tenant(tenant).account.is_none());
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

/// The tenants that a request names, by their ids or by names that the directory knows; without repetition. One batch read
/// for all with a project's name, and one query for each without, all at once.
///
/// # Errors
/// [`UseCaseError::ResolveError`] for the first name that leads to no tenant.
pub(super) async fn resolve_tenants(app: &App, named: RecipientList) -> Result<Vec<TenantId>, UseCaseError> {
    let RecipientList { projects: mut tenants, accounts } = named;
    if accounts.is_empty() {
        return Ok(tenants);
    }
    let by_names = accounts.iter().filter_map(|(_, named)| Some((&named.account, named.project.as_ref()?)));
    let by_account = accounts.iter().filter(|(_, named)| named.project.is_none());
    let (by_names, by_account) = tokio::try_join!(
        app.store.entries_by_name(by_names),
        try_join_all(
            by_account.map(async |(_, named)| Ok((&named.account, find_entries(app, named).await?)))
        ),
    )?;
    let by_account: HashMap<_, _> = by_account.into_iter().collect();
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

/// Who has these names.
async fn find_entries(app: &App, named: &TenantName) -> Result<Vec<DirectoryEntry>, StoreError> {
    let (store, account, here) = (&app.store, &named.account, &app.settings.region);
    if let Some(project) = &named.project {
        return Ok(store.entries_by_name([(account, project)]).await?.into_values().collect());
    }
    let is_ambiguous = |found: &[DirectoryEntry]| resolve_tenant(found, here) == Err(ResolveError::Ambiguous);
    let found = store.account_entries(account, is_ambiguous).await?;
    match resolve_tenant(&found, here) {
        Ok(_) | Err(ResolveError::Ambiguous) => Ok(found),
        // A tenant that is renamed while its account is read may be seen under neither name.
        Err(ResolveError::Unknown | ResolveError::OtherRegion) => {
            store.account_entries(account, is_ambiguous).await
        }
    }
}

fn require_admin(caller: &Caller) -> Result<(), DirectoryError> {
    if caller.is_admin() { Ok(()) } else { Err(DirectoryError::AdminOnly(caller.role)) }
}
