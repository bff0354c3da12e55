//! Decisions as they are written: memberships, the counts that follow from them, and the conditions under which all of it
//! still is what was decided.

use std::time::Duration;

use super::idempotency::{IdempotencyRequest, record_created};
use super::images::HEAD_UNCHANGED;
use super::item;
use super::keys::{self, List, TTL, list_entry_attributes};
use super::memberships::{ACTIVE, MEMBERSHIP};
use super::queues::advance_clock;
use super::snapshot::Snapshot;
use super::{Commit, Store, StoreError};
use crate::domain::{
    Change, ImageId, KeyGrant, Membership, Plan, Rules, Stamp, TenantId, Timestamp, VaultKey, Visibility,
};
use crate::table::Write;

/// How long it is remembered that a membership has ended: longer than any earlier request can still be under way.
const ENDED_MEMBERSHIP_RETENTION: Duration = Duration::from_hours(48);

/// Counts members that come or go.
const COUNT_MEMBERS: &str = "ADD members :growth, member_rev :one";

/// The attribute of a vault that sums up what is reserved of it.
pub(super) const RESERVED: &str = "reserved_gib";

impl Store {
    /// Writes what was decided outside of any job, in one transaction, or in one plain write where no count changes;
    /// provided that everything that it was decided from is still so. A stamp is left on the item of `raises`, if that is
    /// named; and the request is remembered that has created the membership of that tenant, if there is one.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub(crate) async fn commit_plan(
        &self,
        plan: &Plan,
        snapshot: &Snapshot,
        rules: Rules<'_>,
        now: Timestamp,
        clock_update: Option<(&TenantId, Stamp)>,
        idempotency: Option<(&IdempotencyRequest, &TenantId)>,
    ) -> Result<Commit, StoreError> {
        let mut writes = plan_writes(plan, snapshot, rules, now)?;
        if writes.is_empty() {
            return Ok(Commit::Committed);
        }
        self.record_senders(plan, snapshot).await?;
        writes.extend(clock_update.map(|(tenant, stamp)| advance_clock(tenant, stamp)));
        writes.extend(idempotency.map(|(request, tenant)| record_created(request, tenant.as_str(), now)));
        let written = self.commit(&writes).await?;
        if written == Commit::Committed {
            self.inbox_cache.apply_plan(plan);
        }
        Ok(written)
    }
}

/// The writes that a decision makes.
pub(super) fn plan_writes(
    plan: &Plan,
    snapshot: &Snapshot,
    rules: Rules<'_>,
    now: Timestamp,
) -> Result<Vec<Write>, StoreError> {
    let mut writes = Vec::with_capacity(plan.changes.len() + 3);
    for change in &plan.changes {
        writes.push(write_membership(change, snapshot, now)?);
    }
    for (image, growth) in &plan.member_deltas {
        writes.extend(count_members(image, *growth, plan, snapshot, rules));
    }
    for (vault, growth_gib) in &plan.reserved_gib_deltas {
        writes.extend(reserve(vault, *growth_gib, snapshot));
    }
    writes.extend(plan.key_grants.iter().map(check_key_grant));
    writes.extend(plan.unchanged_pairs.iter().map(|pair| check_unchanged(pair, snapshot)));
    Ok(writes)
}

/// Counts members of an image that come or go. None may come to an image that is full, or of which its owner says something
/// else by now.
fn count_members(
    image: &ImageId,
    growth: i32,
    plan: &Plan,
    snapshot: &Snapshot,
    rules: Rules<'_>,
) -> Option<Write> {
    let key = keys::head(image);
    // An image that is gone counts nothing any more, and never comes back.
    let head = Some(snapshot.input.images.get(image)?).filter(|_| plan.offered_images.contains(image));
    let count = Write::update(key.clone(), COUNT_MEMBERS)
        .value(":growth", item::number(growth))
        .value(":one", item::number(1));
    Some(match (head, growth) {
        (None, 0) => return None,
        (None, _) => count.only_if("attribute_exists(head)"),
        (Some(head), 0) => {
            Write::check(key).only_if(HEAD_UNCHANGED).value(":read", item::text(head.revision))
        }
        (Some(head), ..0) => count.only_if(HEAD_UNCHANGED).value(":read", item::text(head.revision)),
        (Some(head), _) => {
            let room = i128::from(rules.limits.member_limit(head)) - i128::from(growth);
            count
                .only_if(format!("{HEAD_UNCHANGED} AND members <= :room"))
                .value(":read", item::text(head.revision))
                .value(":room", item::number(room))
        }
    })
}

/// Reserves a part of a vault, or gives it back. What is reserved must fit into the vault as it was read.
fn reserve(key: &VaultKey, growth_gib: i64, snapshot: &Snapshot) -> Option<Write> {
    let sum = Write::update(keys::vault(key), "ADD reserved_gib :growth");
    let sum = sum.value(":growth", item::number(growth_gib));
    match (growth_gib, snapshot.input.vaults.get(key)) {
        (0, _) => None,
        (1.., Some(vault)) => {
            let room = i128::from(vault.details.capacity_gib) - i128::from(growth_gib);
            Some(
                sum.only_if("rev = :read AND reserved_gib <= :room")
                    .value(":read", item::text(vault.revision))
                    .value(":room", item::number(room)),
            )
        }
        _ => Some(sum.only_if("attribute_exists(pk)")),
    }
}

fn check_key_grant(grant: &KeyGrant) -> Write {
    Write::check(keys::key_grant(grant)).only_if("attribute_exists(pk)")
}

fn check_unchanged(pair: &(ImageId, TenantId), snapshot: &Snapshot) -> Write {
    if_unchanged(Write::check(keys::membership(&pair.0, &pair.1)), snapshot.revisions.get(pair))
}

/// Writes a membership onto the revision that it was read at. It is in a list of its tenant while its image is shared.
fn write_membership(change: &Change, snapshot: &Snapshot, now: Timestamp) -> Result<Write, StoreError> {
    let pair = (change.image.clone(), change.tenant.clone());
    let revision = snapshot.revisions.get(&pair);
    let updated = snapshot.update_time(change, now);
    let mut attributes = vec![
        (MEMBERSHIP, item::json(&change.membership)?),
        ("updated", item::number(updated.unix_millis())),
        ("rev", item::text(revision.copied().unwrap_or_default() + 1)),
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
    let put = Write::put(item::item(keys::membership(&change.image, &change.tenant), attributes));
    Ok(if_unchanged(put, revision))
}

fn if_unchanged(write: Write, revision: Option<&u64>) -> Write {
    match revision {
        None => write.only_if("attribute_not_exists(pk)"),
        Some(revision) => write.only_if("rev = :read").value(":read", item::text(revision)),
    }
}
