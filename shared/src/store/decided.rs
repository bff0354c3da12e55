//! Decisions as they are written: memberships, the counts that follow from them, and the conditions under which all of it
//! still is what was decided.

use std::time::Duration;

use super::images::AS_READ;
use super::item;
use super::keys::{self, List, TTL, list_entry};
use super::memberships::{MEMBERSHIP, STANDS};
use super::queues::raise_clock;
use super::requests::{Remembered, remember_created};
use super::snapshot::Snapshot;
use super::{Store, StoreError, Written};
use crate::domain::{
    Change, Decision, ImageId, KeyGrant, Membership, Rules, Stamp, TenantId, Timestamp, VaultKey, Visibility,
};
use crate::table::Write;

/// How long it is remembered that a membership has ended: longer than any earlier request can still be under way.
const ENDED_IS_KEPT: Duration = Duration::from_hours(48);

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
    pub(crate) async fn make_change(
        &self,
        decision: &Decision,
        read: &Snapshot,
        rules: Rules<'_>,
        now: Timestamp,
        raises: Option<(&TenantId, Stamp)>,
        remembered: Option<(&Remembered, &TenantId)>,
    ) -> Result<Written, StoreError> {
        let mut writes = decided(decision, read, rules, now)?;
        if writes.is_empty() {
            return Ok(Written::Yes);
        }
        self.remember_senders(decision, read).await?;
        writes.extend(raises.map(|(tenant, stamp)| raise_clock(tenant, stamp)));
        writes.extend(remembered.map(|(request, tenant)| remember_created(request, tenant.as_str(), now)));
        let written = self.written(&writes).await?;
        if written == Written::Yes {
            self.inboxes.add(decision);
        }
        Ok(written)
    }
}

/// The writes that a decision makes.
pub(super) fn decided(
    decision: &Decision,
    read: &Snapshot,
    rules: Rules<'_>,
    now: Timestamp,
) -> Result<Vec<Write>, StoreError> {
    let mut writes = Vec::with_capacity(decision.changes.len() + 3);
    for change in &decision.changes {
        writes.push(write_membership(change, read, now)?);
    }
    for (image, growth) in &decision.members {
        writes.extend(count_members(image, *growth, decision, read, rules));
    }
    for (vault, growth_gib) in &decision.reserved_gib {
        writes.extend(reserve(vault, *growth_gib, read));
    }
    writes.extend(decision.grants.iter().map(rely_on));
    writes.extend(decision.unchanged.iter().map(|pair| is_unchanged(pair, read)));
    Ok(writes)
}

/// Counts members of an image that come or go. None may come to an image that is full, or of which its owner says something
/// else by now.
fn count_members(
    image: &ImageId,
    growth: i32,
    decision: &Decision,
    read: &Snapshot,
    rules: Rules<'_>,
) -> Option<Write> {
    let key = keys::head(image);
    // An image that is gone counts nothing any more, and never comes back.
    let known = Some(read.known.images.get(image)?).filter(|_| decision.offered.contains(image));
    let count = Write::update(key.clone(), COUNT_MEMBERS)
        .value(":growth", item::number(growth))
        .value(":one", item::number(1));
    Some(match (known, growth) {
        (None, 0) => return None,
        (None, _) => count.only_if("attribute_exists(head)"),
        (Some(known), 0) => Write::check(key).only_if(AS_READ).value(":read", item::text(known.revision)),
        (Some(known), ..0) => count.only_if(AS_READ).value(":read", item::text(known.revision)),
        (Some(known), _) => {
            let room = i128::from(rules.limits.members_of(known)) - i128::from(growth);
            count
                .only_if(format!("{AS_READ} AND members <= :room"))
                .value(":read", item::text(known.revision))
                .value(":room", item::number(room))
        }
    })
}

/// Reserves a part of a vault, or gives it back. What is reserved must fit into the vault as it was read.
fn reserve(key: &VaultKey, growth_gib: i64, read: &Snapshot) -> Option<Write> {
    let sum = Write::update(keys::vault(key), "ADD reserved_gib :growth");
    let sum = sum.value(":growth", item::number(growth_gib));
    match (growth_gib, read.known.vaults.get(key)) {
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

fn rely_on(grant: &KeyGrant) -> Write {
    Write::check(keys::key_grant(grant)).only_if("attribute_exists(pk)")
}

fn is_unchanged(pair: &(ImageId, TenantId), read: &Snapshot) -> Write {
    onto_what_was_read(Write::check(keys::membership(&pair.0, &pair.1)), read.revisions.get(pair))
}

/// Writes a membership onto the revision that it was read at. It is in a list of its tenant while its image is shared.
fn write_membership(change: &Change, read: &Snapshot, now: Timestamp) -> Result<Write, StoreError> {
    let pair = (change.image.clone(), change.tenant.clone());
    let revision = read.revisions.get(&pair);
    let updated = read.updated_by(change, now);
    let mut attributes = vec![
        (MEMBERSHIP, item::json(&change.becomes)?),
        ("updated", item::number(updated.unix_millis())),
        ("rev", item::text(revision.copied().unwrap_or_default() + 1)),
    ];
    match &change.becomes {
        Membership::Standing(standing) => {
            attributes.push((STANDS, item::text("1")));
            let image = read.known.images.get(&change.image);
            if let Some(image) = image.filter(|image| image.visibility == Visibility::Shared) {
                let list = List::Received(change.tenant.clone(), standing.status());
                attributes.extend(list_entry(&list, &image.into()));
            }
        }
        Membership::Ended(_) => {
            let until = now.plus(ENDED_IS_KEPT).unix_seconds();
            attributes.push((TTL, item::number(until)));
        }
    }
    let put = Write::put(item::item(keys::membership(&change.image, &change.tenant), attributes));
    Ok(onto_what_was_read(put, revision))
}

fn onto_what_was_read(write: Write, revision: Option<&u64>) -> Write {
    match revision {
        None => write.only_if("attribute_not_exists(pk)"),
        Some(revision) => write.only_if("rev = :read").value(":read", item::text(revision)),
    }
}
