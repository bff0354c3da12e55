//! The item of a tenant, as far as its queue of jobs goes. The directory's attributes are on the same item.

use std::collections::BTreeSet;

use crate::domain::{Job, JobId, Queue, QueueKind, Stamp, Tenant, TenantId};
use crate::store::error::StoreError;
use crate::store::item::{self, AttributeValue, Item};
use crate::store::keys;
use crate::table::Write;

/// The most open jobs of a tenant: each is named on its item.
pub const MAX_OPEN_JOBS: usize = 100;

/// Where in a queue a job stands.
#[derive(Debug, Clone, Copy)]
pub enum QueueSlot {
    /// In no line.
    Parallel,
    /// At the head of a line.
    Active(QueueKind),
    /// In a line, behind its active job.
    Held(QueueKind),
}

/// Puts a job into the queue of a tenant, of whom it must be the newest request.
pub fn enqueue_write(tenant: &TenantId, job: &Job, place: QueueSlot, pairs: usize, max_pairs: u32) -> Write {
    const SET: &str = "SET #clock = :job ADD queued :jobs, open_pairs :pairs";
    let pairs = i128::try_from(pairs).unwrap_or(i128::MAX);
    let expression = match place {
        QueueSlot::Parallel | QueueSlot::Held(_) => SET,
        QueueSlot::Active(QueueKind::General) => {
            "SET #clock = :job, active_give = :job ADD queued :jobs, open_pairs :pairs"
        }
        QueueSlot::Active(QueueKind::Unshare) => {
            "SET #clock = :job, active_take = :job ADD queued :jobs, open_pairs :pairs"
        }
    };
    let in_line = match place {
        QueueSlot::Parallel => String::new(),
        QueueSlot::Active(kind) => format!(" AND attribute_not_exists({})", active_attribute(kind)),
        QueueSlot::Held(kind) => format!(" AND attribute_exists({})", active_attribute(kind)),
    };
    let condition = format!(
        "(attribute_not_exists(#clock) OR #clock < :job) \
         AND (attribute_not_exists(queued) OR size(queued) < :most_jobs) \
         AND (attribute_not_exists(open_pairs) OR open_pairs <= :room){in_line}"
    );
    Write::update(keys::tenant(tenant), expression)
        .only_if(condition)
        .name("#clock", CLOCK)
        .value(":job", item::text(job.id))
        .value(":jobs", AttributeValue::Ss(vec![job.id.to_string()]))
        .value(":pairs", item::number(pairs))
        .value(":room", item::number(i128::from(max_pairs) - pairs))
        .value(":most_jobs", item::number(i128::try_from(MAX_OPEN_JOBS).unwrap_or_default()))
}

/// Leaves the stamp of a request that was carried out at once on the item of a tenant, of whom it must be the newest request.
pub fn advance_clock(tenant: &TenantId, stamp: Stamp) -> Write {
    Write::update(keys::tenant(tenant), "SET #clock = :stamp")
        .only_if("attribute_not_exists(#clock) OR #clock < :stamp")
        .name("#clock", CLOCK)
        .value(":stamp", item::text(stamp))
}

pub const CLOCK: &str = "clock";

/// The attribute of a tenant that names the active job of a line.
pub fn active_attribute(kind: QueueKind) -> &'static str {
    match kind {
        QueueKind::General => "active_give",
        QueueKind::Unshare => "active_take",
    }
}

pub fn activate_expression(kind: QueueKind) -> &'static str {
    match kind {
        QueueKind::General => "SET active_give = :job",
        QueueKind::Unshare => "SET active_take = :job",
    }
}

/// Takes a job out of a queue. A large one that has ended was the active one of its line.
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

/// Reads a tenant from its item.
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
    Ok(Tenant { account: account.transpose()?, region, last_queued: stamp(CLOCK)?, queue })
}
