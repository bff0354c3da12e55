//! Reads the meaning of a transaction from its writes.

use imageshare::domain::{JobId, Membership, Stamp};
use imageshare::store::WorkItemKey;
use imageshare::table::{Action, AttributeValue, Item, Key, Write};

use crate::model::JobOrigin;
use crate::state::PairId;

/// The job that is created, and its origin.
pub fn created_job(writes: &[Write]) -> Option<(JobId, JobOrigin)> {
    let (item, id) = writes.iter().find_map(|write| {
        let Action::Put(item) = &write.action else { return None };
        Some((item, job_id(item)?))
    })?;
    let deletes = writes.iter().any(|write| matches!(&write.action, Action::Delete(_)));
    Some(if item.contains_key("finished") {
        (id, JobOrigin::Immediate)
    } else if deletes {
        (id, JobOrigin::ImageChange)
    } else {
        (id, JobOrigin::Queued)
    })
}

/// Whether only queues change: a job is removed, or the next one gets its work items.
pub fn is_queue_maintenance(writes: &[Write]) -> bool {
    let is_tenants = |write: &Write| key_texts(write_key(write)).is_some_and(|(pk, _)| pk.starts_with("T#"));
    let is_of_queues =
        |write: &Write| key_texts(write_key(write)).is_some_and(|(pk, _)| pk.starts_with("J#"));
    created_job(writes).is_none()
        && writes.iter().any(is_tenants)
        && writes.iter().all(|write| is_tenants(write) || is_of_queues(write))
}

/// Whether a stamp is left on a tenant's item.
pub fn advances_clock(write: &Write) -> bool {
    matches!(&write.action, Action::Update(_, expression) if *expression == "SET #clock = :stamp")
}

/// The job that is removed from a queue.
pub fn dequeued_job(write: &Write) -> Option<JobId> {
    let Action::Update(_, expression) = &write.action else { return None };
    let (_, id) = write.values.iter().find(|(name, _)| *name == ":job")?;
    expression.contains("DELETE queued").then_some(())?;
    id.as_s().ok()?.parse().ok()
}

/// The job that a step belongs to.
pub fn stepped_job(writes: &[Write]) -> Option<JobId> {
    writes.iter().find_map(|write| {
        let Action::Update(key, expression) = &write.action else { return None };
        let is_step = expression.starts_with("SET done") || expression.starts_with("SET steps");
        let (pk, sk) = key_texts(key)?;
        Some(WorkItemKey::parse(pk, sk)?.job).filter(|_| is_step)
    })
}

/// The work item that is put.
pub fn work_item(write: &Write) -> Option<WorkItemKey> {
    let Action::Put(item) = &write.action else { return None };
    let (pk, sk) = key_texts(item)?;
    WorkItemKey::parse(pk, sk)
}

/// The pair whose membership is written.
pub fn membership_pair(write: &Write) -> Option<PairId> {
    let Action::Put(item) = &write.action else { return None };
    let (pk, sk) = key_texts(item)?;
    Some((pk.strip_prefix("I#")?.parse().ok()?, sk.strip_prefix("M#")?.parse().ok()?))
}

/// The pair whose membership is written as accepted by a policy on its owner, by a share with that stamp.
pub fn pair_accepted_by_policy(write: &Write, at: Stamp) -> Option<PairId> {
    let (Action::Put(item), pair) = (&write.action, membership_pair(write)?) else { return None };
    let membership: Membership = serde_json::from_str(item.get("membership")?.as_s().ok()?).ok()?;
    let active = membership.active()?;
    (active.accepted_by.is_some() && active.auto_accepted == Some(at)).then_some(pair)
}

/// The newest request in the membership that is written.
pub fn newest_stamp(write: &Write) -> Option<Stamp> {
    let (Action::Put(item), Some(_)) = (&write.action, membership_pair(write)) else { return None };
    newest_stamp_in(item.get("membership")?.as_s().ok()?)
}

/// The newest request in a membership.
pub fn newest_stamp_in(membership: &str) -> Option<Stamp> {
    serde_json::from_str::<Membership>(membership).ok().map(|membership| membership.newest_stamp())
}

fn job_id(item: &Item) -> Option<JobId> {
    let (pk, sk) = key_texts(item)?;
    pk.strip_prefix("J#").filter(|_| sk == "A")?.parse().ok()
}

fn write_key(write: &Write) -> &Key {
    match &write.action {
        Action::Put(key) | Action::Update(key, _) | Action::Delete(key) | Action::Check(key) => key,
    }
}

fn key_texts(item: &std::collections::HashMap<String, AttributeValue>) -> Option<(&str, &str)> {
    Some((item.get("pk")?.as_s().ok()?, item.get("sk")?.as_s().ok()?))
}
