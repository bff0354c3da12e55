//! The items of a job: the job itself, and a work item for each part of a larger one.

use std::ops::Range;
use std::time::Duration;

use crate::domain::{Job, JobId, Outcome, Plan, Task, Timestamp, WorkItem};
use crate::store::error::StoreError;
use crate::store::item::{self, AttributeValue, Item};
use crate::store::keys::{self, GPK, GSK, PK, SINGLE, SK, TTL, WorkItemKey};
use crate::table::Write;

/// How long a job can be read (`contract/decisions.md` 16).
pub const JOB_RETENTION: Duration = Duration::from_hours(30 * 24);

/// The attribute of a piece that was closed because it cannot be read: when.
pub const CLOSED: &str = "closed";

/// Which work items of a job are made with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobStart {
    /// The first of each lane.
    Immediate,
    /// None: an earlier job of its line is active.
    Held,
    /// The first of each lane, of a job that was held so far.
    Unblocked,
}

/// The writes that make a job and its first work items. The job itself comes first.
pub fn job_writes(job: &Job, start: JobStart) -> Result<Vec<Write>, StoreError> {
    let expiry = job_expiry(job);
    let mut header = vec![("job", item::json(job)?), (TTL, expiry)];
    let alone = WorkItemKey { job: job.id, number: SINGLE };
    let mut writes = Vec::new();
    if job.is_large() {
        if start == JobStart::Held {
            header.extend([
                (GPK, item::text(keys::held_partition(alone.shard()))),
                (GSK, item::text(alone.open_sort_key())),
            ]);
        } else {
            let first = (SINGLE + 1..).zip(job.work_items()).take(job.max_parallel_work_items());
            writes.extend(first.map(|(number, pairs)| work_item_write(job, number, &pairs)));
        }
    } else {
        // What an answer to everything finds is written as it is found.
        let pairs = job.work_items().into_iter().next().unwrap_or(0..0);
        header.extend(open_work_item_attributes(alone, &pairs));
    }
    let header = match start {
        JobStart::Immediate | JobStart::Held => {
            Write::put(item::item(keys::job(job.id), header)).only_if("attribute_not_exists(pk)")
        }
        JobStart::Unblocked => {
            Write::update(keys::job(job.id), "REMOVE gpk, gsk").only_if("attribute_exists(gpk)")
        }
    };
    writes.insert(0, header);
    Ok(writes)
}

/// The write that makes the next work item of a lane, whose last one is finished; `None` where that was the last.
pub fn next_in_lane(job: &Job, finished: u16) -> Option<Write> {
    let index = usize::from(finished).checked_sub(1)? + job.max_parallel_work_items();
    let pairs = job.work_items().into_iter().nth(index)?;
    let number = u16::try_from(index + 1).ok()?;
    Some(work_item_write(job, number, &pairs).only_if("attribute_not_exists(pk)"))
}

pub fn work_item_write(job: &Job, number: u16, pairs: &Range<usize>) -> Write {
    let key = WorkItemKey { job: job.id, number };
    Write::put(item::item(
        key.primary_key(),
        open_work_item_attributes(key, pairs).into_iter().chain([(TTL, job_expiry(job))]),
    ))
}

/// The write that makes a job of which everything is done.
pub fn finished_job_write(job: &Job, decision: &Plan, now: Timestamp) -> Result<Write, StoreError> {
    let pairs = job.pair_count();
    let attributes = [
        ("job", item::json(job)?),
        (TTL, job_expiry(job)),
        ("first", item::number(0)),
        ("pairs", item::number(pairs as i128)),
        ("done", item::number(pairs as i128)),
        ("outcomes", item::text(encode_outcomes(&decision.outcomes))),
        ("attempts", item::number(0)),
        ("finished", item::number(now.unix_millis())),
    ];
    Ok(Write::put(item::item(keys::job(job.id), attributes)).only_if("attribute_not_exists(pk)"))
}

pub fn job_expiry(job: &Job) -> AttributeValue {
    item::number(job.accepted_at.plus(JOB_RETENTION).unix_seconds())
}

pub fn encode_outcomes(outcomes: &[Outcome]) -> String {
    outcomes.iter().map(|outcome| char::from(outcome.to_byte())).collect()
}

pub fn is_held(item: &Item) -> bool {
    !item.contains_key("pairs") && item.contains_key(GPK)
}

/// Moves the cursor of a piece, provided that it is where it was.
pub fn move_cursor(job: JobId, from: &WorkItem, to: &WorkItem) -> Write {
    let key = WorkItemKey { job, number: from.number }.primary_key();
    let update = match to.finished_at {
        None => Write::update(key, "SET done = :to, outcomes = :outcomes"),
        Some(now) => {
            Write::update(key, "SET done = :to, outcomes = :outcomes, finished = :now REMOVE gpk, gsk")
                .value(":now", item::number(now.unix_millis()))
        }
    };
    update
        .only_if("done = :from AND attribute_exists(gpk)")
        .value(":from", item::number(from.outcomes.len() as i128))
        .value(":to", item::number(to.outcomes.len() as i128))
        .value(":outcomes", item::text(encode_outcomes(&to.outcomes)))
}

/// What is written of a piece that is open and of which nothing is done.
pub fn open_work_item_attributes(
    key: WorkItemKey,
    pairs: &Range<usize>,
) -> [(&'static str, AttributeValue); 7] {
    [
        (GPK, item::text(keys::open_partition(key.shard()))),
        (GSK, item::text(key.open_sort_key())),
        ("first", item::number(pairs.start as i128)),
        ("pairs", item::number(pairs.len() as i128)),
        ("done", item::number(0)),
        ("outcomes", item::text("")),
        ("attempts", item::number(0)),
    ]
}

pub fn parse_key(item: &Item) -> Result<WorkItemKey, StoreError> {
    WorkItemKey::parse(item::get_text(item, PK)?, item::get_text(item, SK)?).ok_or(StoreError::Unreadable(SK))
}

/// The job of an item of it; `None` for a piece that has an item of its own.
pub fn parse_job(key: WorkItemKey, item: &Item) -> Result<Option<Job>, StoreError> {
    (key.number == SINGLE).then(|| item::get_json(item, "job")).transpose()
}

/// The piece of an item of a job; `None` for the job itself where it has several pieces.
pub fn find_work_item(key: WorkItemKey, item: &Item) -> Result<Option<WorkItem>, StoreError> {
    let is_work_item = key.number != SINGLE || item.contains_key("pairs");
    is_work_item.then(|| parse_work_item(key, item)).transpose()
}

/// A piece that was closed because it cannot be read: its pairs have the outcomes that can be read, and the others have
/// failed. Of a job that finds its images itself one pair has failed, without a name.
pub fn closed_work_item(job: &Job, key: WorkItemKey, item: &Item) -> Result<WorkItem, StoreError> {
    let pairs = match job.task {
        Task::RespondToAll { .. } => Some(0..1),
        Task::Share | Task::Unshare | Task::Refresh | Task::Respond { .. } => {
            job.work_items().into_iter().nth(usize::from(key.number.saturating_sub(SINGLE + 1)))
        }
    };
    let pairs = pairs.ok_or(StoreError::Unreadable(SK))?;
    let outcomes = item::get_text(item, "outcomes").unwrap_or_default();
    let outcomes = outcomes.bytes().map(Outcome::from_byte).collect::<Option<Vec<_>>>();
    // A text of which a part cannot be read says nothing of the rest.
    let mut outcomes = outcomes.unwrap_or_default();
    outcomes.resize(pairs.len(), Outcome::RetriesExhausted);
    let finished = Some(Timestamp::from_unix_millis(item::get_number(item, CLOSED)?));
    Ok(WorkItem {
        number: key.number,
        pairs,
        found_images: Vec::new(),
        outcomes,
        finished_at: finished,
        attempts: 0,
    })
}

pub fn parse_work_item(key: WorkItemKey, item: &Item) -> Result<WorkItem, StoreError> {
    let first: usize = item::get_number(item, "first")?;
    let pairs: usize = item::get_number(item, "pairs")?;
    let outcomes =
        item::get_text(item, "outcomes")?.bytes().map(Outcome::from_byte).collect::<Option<Vec<_>>>();
    Ok(WorkItem {
        number: key.number,
        pairs: first..first.saturating_add(pairs),
        found_images: if item.contains_key("found") { item::get_json(item, "found")? } else { Vec::new() },
        outcomes: outcomes.ok_or(StoreError::Unreadable("outcomes"))?,
        finished_at: item::find_number(item, "finished")?.map(Timestamp::from_unix_millis),
        attempts: item::get_number(item, "attempts")?,
    })
}
