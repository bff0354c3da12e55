//! The item of a tenant: its queue of jobs, its clock and the number of its owner policies. The item also has the
//! attributes of its directory entry.

use std::collections::BTreeSet;

use crate::domain::{Job, JobId, MAX_OWNER_POLICIES, Queue, QueueKind, Stamp, Tenant, TenantId};
use crate::store::error::StoreError;
use crate::store::item::{self, AttributeValue, Item};
use crate::store::keys;
use crate::table::Write;

/// The most open jobs of a tenant: its item holds the id of each.
pub const MAX_OPEN_JOBS: usize = 100;

/// The place of a job in a queue.
#[derive(Debug, Clone, Copy)]
pub enum QueueSlot {
    /// Beside all others: a small job, or a large one in a queue other than its first.
    Parallel,
    /// The active large job of its kind.
    Active(QueueKind),
    /// Held, behind the active large job of its kind.
    Held(QueueKind),
}

/// Puts a job into the queue of a tenant, and raises the tenant's clock to its stamp. The condition fails if the
/// tenant has a later request, its queue is full, or the slot does not match: active needs no other active job, held
/// needs one.
pub fn enqueue_write(tenant: &TenantId, job: &Job, slot: QueueSlot, pairs: usize, max_pairs: u32) -> Write {
    const SET: &str = "SET #clock = :job ADD queued :jobs, open_pairs :pairs";
    let pairs = i128::try_from(pairs).unwrap_or(i128::MAX);
    let expression = match slot {
        QueueSlot::Parallel | QueueSlot::Held(_) => SET,
        QueueSlot::Active(QueueKind::General) => {
            "SET #clock = :job, active_give = :job ADD queued :jobs, open_pairs :pairs"
        }
        QueueSlot::Active(QueueKind::Unshare) => {
            "SET #clock = :job, active_take = :job ADD queued :jobs, open_pairs :pairs"
        }
    };
    let slot_condition = match slot {
        QueueSlot::Parallel => String::new(),
        QueueSlot::Active(kind) => format!(" AND attribute_not_exists({})", active_attribute(kind)),
        QueueSlot::Held(kind) => format!(" AND attribute_exists({})", active_attribute(kind)),
    };
    let condition = format!(
        "(attribute_not_exists(#clock) OR #clock < :job) \
         AND (attribute_not_exists(queued) OR size(queued) < :max_jobs) \
         AND (attribute_not_exists(open_pairs) OR open_pairs <= :room){slot_condition}"
    );
    Write::update(keys::tenant(tenant), expression)
        .only_if(condition)
        .name("#clock", CLOCK)
        .value(":job", item::text(job.id))
        .value(":jobs", AttributeValue::Ss(vec![job.id.to_string()]))
        .value(":pairs", item::number(pairs))
        .value(":room", item::number(i128::from(max_pairs) - pairs))
        .value(":max_jobs", item::number(i128::try_from(MAX_OPEN_JOBS).unwrap_or_default()))
}

/// Raises the clock of a tenant to a stamp. The condition fails if the clock is there or above.
pub fn advance_clock(tenant: &TenantId, stamp: Stamp) -> Write {
    Write::update(keys::tenant(tenant), "SET #clock = :stamp")
        .only_if("attribute_not_exists(#clock) OR #clock < :stamp")
        .name("#clock", CLOCK)
        .value(":stamp", item::text(stamp))
}

/// The attribute that holds the number of a tenant's owner policies.
const OWNER_POLICIES: &str = "owner_policies";

/// Counts an owner policy that is created (1) or deleted (-1). The condition fails if one more is too many.
pub fn count_owner_policies(tenant: &TenantId, delta: i8) -> Write {
    let room = i128::from(MAX_OWNER_POLICIES) - i128::from(delta);
    Write::update(keys::tenant(tenant), "ADD owner_policies :delta")
        .only_if(format!("attribute_not_exists({OWNER_POLICIES}) OR {OWNER_POLICIES} <= :room"))
        .value(":delta", item::number(delta))
        .value(":room", item::number(room))
}

/// The attribute that holds a tenant's clock: the stamp that its later requests must be above.
pub const CLOCK: &str = "clock";

/// The attribute that holds the active large job of a kind.
pub fn active_attribute(kind: QueueKind) -> &'static str {
    match kind {
        QueueKind::General => "active_give",
        QueueKind::Unshare => "active_take",
    }
}

/// Returns the expression that makes a job the active large one of its kind.
pub fn activate_expression(kind: QueueKind) -> &'static str {
    match kind {
        QueueKind::General => "SET active_give = :job",
        QueueKind::Unshare => "SET active_take = :job",
    }
}

/// Returns the expression that takes an ended job out of a queue. In its first queue, a large one was the active one
/// of its kind.
pub fn dequeue_expression(job: &Job, is_first: bool) -> &'static str {
    match QueueKind::of(&job.task) {
        QueueKind::General if is_first && job.is_large() => {
            "REMOVE active_give DELETE queued :jobs ADD open_pairs :minus"
        }
        QueueKind::Unshare if is_first && job.is_large() => {
            "REMOVE active_take DELETE queued :jobs ADD open_pairs :minus"
        }
        QueueKind::General | QueueKind::Unshare => "DELETE queued :jobs ADD open_pairs :minus",
    }
}

/// Parses a tenant from its item.
pub fn parse(item: &Item) -> Result<Tenant, StoreError> {
    let text = |name| item.contains_key(name).then(|| item::get_text(item, name)).transpose();
    let stamp = |name: &'static str| {
        text(name)?.map(|text| text.parse().map_err(|_| StoreError::Unreadable(name))).transpose()
    };
    let jobs = match item.get("queued") {
        Some(AttributeValue::Ss(ids)) => ids.iter().map(|id| id.parse()).collect(),
        Some(_) => return Err(StoreError::Unreadable("queued")),
        None => Ok(BTreeSet::new()),
    };
    let mut queue = Queue {
        jobs: jobs.map_err(|_| StoreError::Unreadable("queued"))?,
        pair_count: item::find_number(item, "open_pairs")?.unwrap_or_default(),
        ..Queue::default()
    };
    for kind in QueueKind::ALL {
        queue.current.extend(stamp(active_attribute(kind))?.map(|id| (kind, JobId(id))));
    }
    let account = text("account")?.map(|name| name.parse().map_err(|_| StoreError::Unreadable("account")));
    let region = text("region")?.map(str::to_owned);
    let owner_policies = item::find_number(item, OWNER_POLICIES)?.unwrap_or_default();
    Ok(Tenant { account: account.transpose()?, region, last_queued: stamp(CLOCK)?, owner_policies, queue })
}
