//! Store the stamp of a request where every later request reads it.

use crate::App;
use crate::domain::{Stamp, TenantId};
use crate::store::{Snapshot, StoreError};

/// Stores a stamp that is far ahead on the items of the tenants of its pairs, before anything is written with it: a
/// decision on all pending images reads the tenant's item and no memberships. `tenants` leaves out those whose item
/// is written with the request. Costs nothing for nearly all stamps; for one that is far ahead, a write for each
/// tenant whose item has an earlier stamp.
///
/// # Errors
/// [`StoreError`] if the table failed.
pub(super) async fn raise_tenant_clocks(
    app: &App,
    snapshot: &Snapshot,
    tenants: impl IntoIterator<Item = &TenantId>,
    stamp: Stamp,
) -> Result<(), StoreError> {
    if !app.clock().is_far_ahead(stamp) {
        return Ok(());
    }
    let is_behind = |id: &&TenantId| snapshot.tenant(id).last_queued.is_none_or(|clock| clock < stamp);
    let behind: Vec<_> = tenants.into_iter().filter(is_behind).collect();
    app.store.advance_clocks(&behind, stamp).await
}
