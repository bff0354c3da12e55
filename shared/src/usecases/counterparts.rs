//! Read the names of the tenants on the other side of memberships (`contract/decisions.md` 36).

use std::collections::{BTreeSet, HashMap};

use super::list_images::{ListReason, VisibleImage};
use super::query_memberships::MembershipRow;
use crate::App;
use crate::domain::{DirectoryEntry, MemberView, Name, PairResult, TenantId, Transition};
use crate::store::StoreError;

/// The names of a tenant, as the other side of a membership sees them: not its organization or its cloud account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CounterpartNames {
    /// The name of its account.
    pub account: Name,
    /// Its own name, as a project of that account.
    pub project: Name,
}

/// A row that a use case returned to a caller that may see it. Only such rows name tenants to [`names_of`],
/// which therefore needs no caller.
pub trait MembershipSide: sealed::Sealed {
    /// The tenants of its membership that the row shows.
    fn tenants(&self) -> impl Iterator<Item = &TenantId>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::VisibleImage {}
    impl Sealed for super::MemberView {}
    impl Sealed for super::MembershipRow {}
    impl Sealed for super::PairResult<'_> {}
}

/// The owner of an image that is shared with the caller. The owner of an image that every tenant can see is no
/// counterpart.
impl MembershipSide for VisibleImage {
    fn tenants(&self) -> impl Iterator<Item = &TenantId> {
        let is_received = matches!(self.reason, ListReason::Received(_));
        is_received.then_some(&self.image.owner).into_iter()
    }
}

/// The recipient.
impl MembershipSide for MemberView {
    fn tenants(&self) -> impl Iterator<Item = &TenantId> {
        std::iter::once(&self.tenant)
    }
}

/// The owner and the recipient.
impl MembershipSide for MembershipRow {
    fn tenants(&self) -> impl Iterator<Item = &TenantId> {
        [&self.image.owner, &self.member.tenant].into_iter()
    }
}

/// The recipient, if the job has changed a membership. An unshare from a tenant that is no member changes nothing, and a
/// failed share makes no member.
impl MembershipSide for PairResult<'_> {
    fn tenants(&self) -> impl Iterator<Item = &TenantId> {
        let has_changed = self.transition.is_some_and(|transition| transition != Transition::Unchanged);
        has_changed.then_some(self.tenant).into_iter()
    }
}

/// Returns the names of the tenants in rows that the caller may see, without those that are not in the directory. Names
/// that were changed a moment ago may be the former ones.
///
/// Costs one batch read for every 100 tenants, of half a unit each; nothing if there are no tenants.
///
/// # Errors
/// [`StoreError`] if the table failed.
pub async fn names_of<'a, R: MembershipSide + 'a>(
    app: &App,
    rows: impl IntoIterator<Item = &'a R>,
) -> Result<HashMap<TenantId, CounterpartNames>, StoreError> {
    let tenants: BTreeSet<_> = rows.into_iter().flat_map(MembershipSide::tenants).collect();
    let entries = app.store.recent_entries(tenants).await?;
    Ok(entries.into_iter().map(DirectoryEntry::into_names).collect())
}

impl DirectoryEntry {
    /// The tenant with its names, and without the rest of its entry.
    fn into_names(self) -> (TenantId, CounterpartNames) {
        (self.tenant, CounterpartNames { account: self.account, project: self.project })
    }
}
