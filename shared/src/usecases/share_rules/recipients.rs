//! Resolve the recipients of a share rule to tenants.
//!
//! A rule reaches no more tenants than its owner could name, so that it is no way to browse the directory: of another
//! account, the only project in this region, as in a request that shares by name; of the owner's own account and
//! organization, all of them.

use std::collections::BTreeSet;

use crate::App;
use crate::domain::{
    DirectoryEntry, OrganizationId, ResolveError, RuleRecipients, TenantId, TenantName, resolve_tenant,
};
use crate::store::StoreError;

/// The most members of an organization that one query reads.
const MEMBERS_PER_PAGE: usize = 1_000;

/// Returns the recipients of a rule at this moment, in the order of their ids, without the owner itself: the projects,
/// and of the accounts and organizations those in this region that the owner may reach. What the directory does not
/// have has no tenants: they may join later.
///
/// Costs one batch read for every 100 accounts with a project's name; for accounts without one and for organizations
/// one read of the owner, one query for every 100 projects of an account, and one query for every 1,000 members of the
/// organization with a batch read for every 100.
///
/// # Errors
/// [`StoreError`] if the table failed.
pub(super) async fn resolve_recipients(
    app: &App,
    owner: &TenantId,
    recipients: &RuleRecipients,
) -> Result<Vec<TenantId>, StoreError> {
    let mut tenants: BTreeSet<TenantId> = recipients.projects.iter().cloned().collect();
    tenants.extend(resolve_accounts(app, owner, &recipients.accounts).await?);
    if !recipients.organizations.is_empty() {
        let own = own_organization(app, owner).await?;
        if let Some(own) = own.filter(|own| recipients.organizations.contains(own)) {
            tenants.extend(resolve_members(app, &own).await?);
        }
    }
    tenants.remove(owner);
    Ok(tenants.into_iter().collect())
}

/// Whether a tenant of this region is a recipient of a rule by its names or its organization. Costs one read of the
/// owner, and one query for every 100 projects of an account that the rule names without a project.
///
/// # Errors
/// [`StoreError`] if the table failed.
pub(super) async fn is_recipient(
    app: &App,
    owner: &TenantId,
    recipients: &RuleRecipients,
    entry: &DirectoryEntry,
) -> Result<bool, StoreError> {
    if entry.tenant == *owner || !recipients.name_entry(entry) {
        return Ok(false);
    }
    if let Some(organization) = entry.organization.as_ref().filter(|of| recipients.organizations.contains(of))
        && own_organization(app, owner).await?.as_ref() == Some(organization)
    {
        return Ok(true);
    }
    let of_account = recipients.accounts.iter().filter(|named| named.account == entry.account);
    let of_account: Vec<_> = of_account.cloned().collect();
    Ok(resolve_accounts(app, owner, &of_account).await?.contains(&entry.tenant))
}

/// The organization of a tenant. Costs one read.
///
/// # Errors
/// [`StoreError`] if the table failed.
pub(super) async fn own_organization(
    app: &App,
    tenant: &TenantId,
) -> Result<Option<OrganizationId>, StoreError> {
    Ok(app.store.entry(tenant).await?.and_then(|entry| entry.organization))
}

/// Whether a tenant is in the region of this deployment.
pub(super) fn is_here(app: &App, entry: &DirectoryEntry) -> bool {
    entry.region.as_str() == app.settings.region
}

/// The tenants of this region that have these names.
async fn resolve_accounts(
    app: &App,
    owner: &TenantId,
    accounts: &[TenantName],
) -> Result<BTreeSet<TenantId>, StoreError> {
    let mut entries = Vec::new();
    let with_project: Vec<_> =
        accounts.iter().filter_map(|named| Some((&named.account, named.project.as_ref()?))).collect();
    if !with_project.is_empty() {
        entries.extend(app.store.entries_by_name(with_project).await?.into_values());
    }
    let whole_accounts: Vec<_> = accounts.iter().filter(|named| named.project.is_none()).collect();
    let own = if whole_accounts.is_empty() { None } else { app.store.entry(owner).await? };
    let region = app.settings.region.as_str();
    for TenantName { account, .. } in whole_accounts {
        if own.as_ref().is_some_and(|own| own.account == *account) {
            entries.extend(app.store.account_entries(account, |_| false).await?);
            continue;
        }
        let is_ambiguous =
            |found: &[DirectoryEntry]| resolve_tenant(found, region) == Err(ResolveError::Ambiguous);
        let found = app.store.account_entries(account, is_ambiguous).await?;
        entries.extend(resolve_tenant(&found, region).ok().cloned());
    }
    let here = entries.into_iter().filter(|entry| is_here(app, entry));
    Ok(here.map(|entry| entry.tenant).collect())
}

/// The members of an organization in this region.
async fn resolve_members(app: &App, organization: &OrganizationId) -> Result<Vec<TenantId>, StoreError> {
    let (mut tenants, mut after) = (Vec::new(), None);
    loop {
        let (members, next) =
            app.store.organization_members(organization, after.as_ref(), MEMBERS_PER_PAGE).await?;
        if !members.is_empty() {
            let entries = app.store.entries_of(&members).await?;
            // One that has left since the members were read is no recipient.
            let is_member = |entry: &DirectoryEntry| entry.organization.as_ref() == Some(organization);
            let here = entries.into_iter().filter(|entry| is_here(app, entry) && is_member(entry));
            tenants.extend(here.map(|entry| entry.tenant));
        }
        match next {
            Some(_) => after = next,
            None => return Ok(tenants),
        }
    }
}
