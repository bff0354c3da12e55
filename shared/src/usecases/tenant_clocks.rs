//! Leave the stamp of a request where every later request finds it.

use crate::App;
use crate::domain::{Stamp, TenantId};
use crate::store::{Snapshot, StoreError};

/// Leaves a stamp that is far ahead on the items of the tenants of its pairs, before anything is written under it: an answer to
/// everything that waits for one of them reads that item and no membership. Not of a tenant whose item is written together
/// with the request. Nothing for other stamps, which are nearly all; else a write for each tenant whose item bears an earlier
/// one.
///
/// # Errors
/// [`StoreError`] where the table failed.
pub(super) async fn raise_tenant_clocks(
    app: &App,
    read: &Snapshot,
    tenants: impl IntoIterator<Item = &TenantId>,
    stamp: Stamp,
) -> Result<(), StoreError> {
    if !app.clock().is_far_ahead(stamp) {
        return Ok(());
    }
    let is_behind = |id: &&TenantId| read.tenant(id).last_queued.is_none_or(|clock| clock < stamp);
    let behind: Vec<_> = tenants.into_iter().filter(is_behind).collect();
    app.store.advance_clocks(&behind, stamp).await
}
