//! Commits plans. Each item that a plan's guards name is one write of the transaction, and its condition is the guards
//! on that item.

use std::collections::HashMap;
use std::time::Duration;

use super::client::Store;
use super::error::StoreError;
use super::item;
use super::items::idempotency::{IdempotencyRequest, record_created};
use super::items::image::{HEAD, MEMBERS, count_members};
use super::items::membership::{ACTIVE, MEMBERSHIP, UPDATED};
use super::items::tenant::advance_clock;
use super::items::vault::{RESERVED, add_reserved};
use super::keys::{self, List, TTL, list_entry_attributes};
use super::snapshot::Snapshot;
use super::table_calls::Commit;
use crate::domain::{Change, Guard, Membership, Plan, PlanItem, Stamp, TenantId, Timestamp, Visibility};
use crate::table::Write;

/// How long an ended membership is kept: longer than an earlier request on the pair can still be executing.
const ENDED_MEMBERSHIP_RETENTION: Duration = Duration::from_hours(48);

impl Store {
    /// Commits a plan that belongs to no job. Returns a conflict, and writes nothing, if one of its guards no longer
    /// holds. One transaction, or one plain put if the plan writes one membership and nothing else; and before it what
    /// new senders take.
    ///
    /// `clock_update` raises the clock of a tenant to a stamp. `idempotency` is the request, and the tenant whose
    /// membership it creates.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub(crate) async fn commit_plan(
        &self,
        plan: &Plan,
        snapshot: &Snapshot,
        now: Timestamp,
        clock_update: Option<(&TenantId, Stamp)>,
        idempotency: Option<(&IdempotencyRequest, &TenantId)>,
    ) -> Result<Commit, StoreError> {
        let mut writes = plan_writes(plan, snapshot, now)?;
        if writes.is_empty() {
            return Ok(Commit::Committed);
        }
        self.record_senders(plan, snapshot).await?;
        writes.extend(clock_update.map(|(tenant, stamp)| advance_clock(tenant, stamp)));
        writes.extend(idempotency.map(|(request, tenant)| record_created(request, tenant.as_str(), now)));
        let outcome = self.commit(&writes).await?;
        if outcome == Commit::Committed {
            self.inbox_cache.apply_plan(plan);
        }
        Ok(outcome)
    }
}

/// Returns the writes of a plan: one for each item of its guards, on condition that they hold.
pub(super) fn plan_writes(
    plan: &Plan,
    snapshot: &Snapshot,
    now: Timestamp,
) -> Result<Vec<Write>, StoreError> {
    let changes: HashMap<_, _> =
        plan.changes.iter().map(|change| ((&change.image, &change.tenant), change)).collect();
    let write = |(item, guards): (&PlanItem, &[Guard])| {
        let write = match item {
            PlanItem::Membership(image, tenant) => match changes.get(&(image, tenant)) {
                Some(change) => put_membership(change, snapshot, now)?,
                None => Write::check(keys::membership(image, tenant)),
            },
            PlanItem::ImageHead(image) => match plan.member_deltas.get(image) {
                Some(0) | None => Write::check(keys::head(image)),
                Some(delta) => count_members(image, *delta),
            },
            PlanItem::KeyGrant(grant) => Write::check(keys::key_grant(grant)),
            PlanItem::OwnerPolicy(policy) => Write::check(keys::owner_policy(policy)),
            PlanItem::Vault(vault) => match plan.reserved_gib_deltas.get(vault) {
                Some(0) | None => Write::check(keys::vault(vault)),
                Some(delta) => add_reserved(vault, *delta),
            },
        };
        Ok(guards.iter().fold(write, |write, guard| add_condition(write, guard, plan, snapshot)))
    };
    plan.guards.by_item().map(write).collect()
}

/// Adds a guard to the condition of the write of its item.
fn add_condition(write: Write, guard: &Guard, plan: &Plan, snapshot: &Snapshot) -> Write {
    match guard {
        Guard::MembershipUnchanged { image, tenant } => {
            match snapshot.revisions.get(&(image.clone(), tenant.clone())) {
                None => write.and_if("attribute_not_exists(pk)"),
                Some(revision) => item::if_unchanged(write, revision),
            }
        }
        // The head of a deleted image is a tombstone, without this attribute.
        Guard::ImageExists(_) => write.and_if(format!("attribute_exists({HEAD})")),
        Guard::ImageUnchanged { revision, .. } => item::if_unchanged(write, revision),
        Guard::OwnerPolicyUnchanged { revision, .. } => item::if_unchanged(write, revision),
        Guard::MemberLimit { image, limit } => {
            let delta = plan.member_deltas.get(image).copied().unwrap_or_default();
            let room = i128::from(*limit) - i128::from(delta);
            write.and_if(format!("{MEMBERS} <= :room")).value(":room", item::number(room))
        }
        Guard::KeyGrantExists(_) | Guard::VaultExists(_) => write.and_if("attribute_exists(pk)"),
        Guard::VaultRoom { vault, revision, capacity_gib } => {
            let delta = plan.reserved_gib_deltas.get(vault).copied().unwrap_or_default();
            let room = i128::from(*capacity_gib) - i128::from(delta);
            item::if_unchanged(write, revision)
                .and_if(format!("{RESERVED} <= :room"))
                .value(":room", item::number(room))
        }
    }
}

/// Puts a membership. It is in a list of its tenant while it is active and the image's visibility is `shared`.
fn put_membership(change: &Change, snapshot: &Snapshot, now: Timestamp) -> Result<Write, StoreError> {
    let pair = (change.image.clone(), change.tenant.clone());
    let revision = snapshot.revisions.get(&pair);
    let updated = snapshot.update_time(change, now);
    let mut attributes = vec![
        (MEMBERSHIP, item::json(&change.membership)?),
        (UPDATED, item::number(updated.unix_millis())),
        (item::REV, item::text(revision.copied().unwrap_or_default() + 1)),
    ];
    match &change.membership {
        Membership::Active(active) => {
            attributes.push((ACTIVE, item::text("1")));
            let image = snapshot.input.images.get(&change.image);
            if let Some(image) = image.filter(|image| image.visibility == Visibility::Shared) {
                let list = List::Received(change.tenant.clone(), active.status());
                attributes.extend(list_entry_attributes(&list, &image.into()));
            }
        }
        Membership::Ended(_) => {
            let until = now.plus(ENDED_MEMBERSHIP_RETENTION).unix_seconds();
            attributes.push((TTL, item::number(until)));
        }
    }
    Ok(Write::put(item::item(keys::membership(&change.image, &change.tenant), attributes)))
}
