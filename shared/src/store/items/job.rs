//! The items of a job: the job itself, and the work items of a large one.

use std::iter;
use std::ops::Range;
use std::time::Duration;

use crate::domain::{Job, JobId, Outcome, Plan, Task, Timestamp, Transition, WorkItem};
use crate::store::error::StoreError;
use crate::store::item::{self, AttributeValue, Item};
use crate::store::keys::{self, GPK, GSK, PK, SINGLE, SK, TTL, WorkItemKey};
use crate::table::Write;

/// How long a job can be read (`contract/decisions.md` 16).
pub const JOB_RETENTION: Duration = Duration::from_hours(30 * 24);

/// The attribute of a work item that holds when it was closed as unreadable.
pub const CLOSED: &str = "closed";

/// How a job starts, which decides which work items are created with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobStart {
    /// The first work item of each lane is created.
    Immediate,
    /// No work item is created: an earlier large job of its kind is active.
    Held,
    /// The first work item of each lane is created, for a job that exists and was held.
    Unblocked,
}

/// Returns the writes that create a job and its first work items. The job's own item comes first.
pub fn job_writes(job: &Job, start: JobStart) -> Result<Vec<Write>, StoreError> {
    let expiry = job_expiry(job);
    let mut attributes = vec![("job", item::json(job)?), (TTL, expiry)];
    let single = WorkItemKey { job: job.id, number: SINGLE };
    let mut writes = Vec::new();
    if job.is_large() {
        if start == JobStart::Held {
            attributes.extend([
                (GPK, item::text(keys::held_partition(single.shard()))),
                (GSK, item::text(single.open_sort_key())),
            ]);
        } else {
            let first = (SINGLE + 1..).zip(job.work_items()).take(job.max_parallel_work_items());
            writes.extend(first.map(|(number, pairs)| work_item_write(job, number, &pairs)));
        }
    } else {
        // A job that finds its images itself starts without pairs: each step of its scan creates a work item.
        let pairs = job.work_items().into_iter().next().unwrap_or(0..0);
        attributes.extend(open_work_item_attributes(single, &pairs));
    }
    let job_write = match start {
        JobStart::Immediate | JobStart::Held => {
            Write::put(item::item(keys::job(job.id), attributes)).only_if("attribute_not_exists(pk)")
        }
        JobStart::Unblocked => {
            Write::update(keys::job(job.id), "REMOVE gpk, gsk").only_if("attribute_exists(gpk)")
        }
    };
    writes.insert(0, job_write);
    Ok(writes)
}

/// Returns the write that creates the next work item in the lane of a finished one; `None` if that was the last of its
/// lane.
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

/// Returns the write that creates a job that is finished already.
pub fn finished_job_write(job: &Job, plan: &Plan, now: Timestamp) -> Result<Write, StoreError> {
    let pairs = job.pair_count();
    let attributes = [
        ("job", item::json(job)?),
        (TTL, job_expiry(job)),
        ("first", item::number(0)),
        ("pairs", item::number(pairs as i128)),
        ("done", item::number(pairs as i128)),
        ("outcomes", item::text(encode_outcomes(&plan.outcomes))),
        (TRANSITIONS, item::text(encode_transitions(&plan.transitions))),
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

/// The attribute of a work item that holds the transitions of its pairs. An older function reads and writes outcomes
/// without it.
pub const TRANSITIONS: &str = "transitions";

/// Encodes transitions as runs: the byte of one, and how often it follows. Most work items have one run.
pub fn encode_transitions(transitions: &[Option<Transition>]) -> String {
    let runs = transitions.chunk_by(|one, other| one == other).filter_map(|run| {
        let byte = run.first()?.map_or(b'?', Transition::to_byte);
        Some(format!("{}{}", char::from(byte), run.len()))
    });
    runs.collect()
}

/// Decodes transitions of at most `max` pairs; `None` if the text is malformed.
fn decode_transitions(text: &str, max: usize) -> Option<Vec<Option<Transition>>> {
    let (mut transitions, mut rest) = (Vec::new(), text);
    while let Some(byte) = rest.bytes().next() {
        let run = rest.get(1..)?;
        let end = run.find(|character: char| !character.is_ascii_digit()).unwrap_or(run.len());
        let (count, after) = run.split_at(end);
        let count = count.parse().ok().filter(|count| *count <= max - transitions.len())?;
        transitions.extend(iter::repeat_n(Transition::from_byte(byte), count));
        rest = after;
    }
    Some(transitions)
}

/// Whether the item is a work item, or a job with only one, that has ended.
pub fn is_finished(item: &Item) -> bool {
    item.contains_key("finished")
}

pub fn is_held(item: &Item) -> bool {
    !item.contains_key("pairs") && item.contains_key(GPK)
}

/// Moves the cursor of a work item, if it is where it was read; at the end, closes the work item.
pub fn move_cursor(job: JobId, from: &WorkItem, to: &WorkItem) -> Write {
    const MOVE: &str = "SET done = :to, outcomes = :outcomes, transitions = :transitions";
    const FINISH: &str =
        "SET done = :to, outcomes = :outcomes, transitions = :transitions, finished = :now REMOVE gpk, gsk";
    let key = WorkItemKey { job, number: from.number }.primary_key();
    let update = match to.finished_at {
        None => Write::update(key, MOVE),
        Some(now) => Write::update(key, FINISH).value(":now", item::number(now.unix_millis())),
    };
    update
        .only_if("done = :from AND attribute_exists(gpk)")
        .value(":from", item::number(from.outcomes.len() as i128))
        .value(":to", item::number(to.outcomes.len() as i128))
        .value(":outcomes", item::text(encode_outcomes(&to.outcomes)))
        .value(":transitions", item::text(encode_transitions(&to.transitions)))
}

/// Returns the attributes of a new, open work item.
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

/// Parses the job from its own item; `None` for the item of a work item.
pub fn parse_job(key: WorkItemKey, item: &Item) -> Result<Option<Job>, StoreError> {
    (key.number == SINGLE).then(|| item::get_json(item, "job")).transpose()
}

/// Parses the work item from its item, or from that of a job with only one; `None` for another job.
pub fn find_work_item(key: WorkItemKey, item: &Item) -> Result<Option<WorkItem>, StoreError> {
    let is_work_item = key.number != SINGLE || item.contains_key("pairs");
    is_work_item.then(|| parse_work_item(key, item)).transpose()
}

/// Returns a work item that was closed as unreadable: its pairs have the outcomes that are readable, and the others
/// have failed. For a job that finds its images itself, one unnamed pair has failed.
pub fn closed_work_item(job: &Job, key: WorkItemKey, item: &Item) -> Result<WorkItem, StoreError> {
    let pairs = match job.task {
        Task::RespondToAll { .. } | Task::RespondToOwners { .. } => Some(0..1),
        Task::Share | Task::Unshare | Task::Refresh | Task::Respond { .. } => {
            job.work_items().into_iter().nth(usize::from(key.number.saturating_sub(SINGLE + 1)))
        }
    };
    let pairs = pairs.ok_or(StoreError::Unreadable(SK))?;
    let outcomes = item::get_text(item, "outcomes").unwrap_or_default();
    let outcomes = outcomes.bytes().map(Outcome::from_byte).collect::<Option<Vec<_>>>();
    // If any outcome is unreadable, none is trusted.
    let mut outcomes = outcomes.unwrap_or_default();
    outcomes.resize(pairs.len(), Outcome::RetriesExhausted);
    let closed_at = Timestamp::from_unix_millis(item::get_number(item, CLOSED)?);
    Ok(WorkItem {
        number: key.number,
        pairs,
        found_images: Vec::new(),
        outcomes,
        transitions: Vec::new(),
        finished_at: Some(closed_at),
        attempts: 0,
    })
}

pub fn parse_work_item(key: WorkItemKey, item: &Item) -> Result<WorkItem, StoreError> {
    let first: usize = item::get_number(item, "first")?;
    let pairs: usize = item::get_number(item, "pairs")?;
    let outcomes =
        item::get_text(item, "outcomes")?.bytes().map(Outcome::from_byte).collect::<Option<Vec<_>>>();
    let outcomes = outcomes.ok_or(StoreError::Unreadable("outcomes"))?;
    let transitions = if item.contains_key(TRANSITIONS) {
        let transitions = decode_transitions(item::get_text(item, TRANSITIONS)?, outcomes.len());
        transitions.ok_or(StoreError::Unreadable(TRANSITIONS))?
    } else {
        Vec::new()
    };
    Ok(WorkItem {
        number: key.number,
        pairs: first..first.saturating_add(pairs),
        found_images: if item.contains_key("found") { item::get_json(item, "found")? } else { Vec::new() },
        outcomes,
        transitions,
        finished_at: item::find_number(item, "finished")?.map(Timestamp::from_unix_millis),
        attempts: item::get_number(item, "attempts")?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn transitions() -> impl Strategy<Value = Vec<Option<Transition>>> {
        let one = prop::sample::select(b"bcareu?".to_vec()).prop_map(Transition::from_byte);
        prop::collection::vec(one, 0..250)
    }

    proptest! {
        #[test]
        fn transitions_round_trip(transitions in transitions()) {
            let text = encode_transitions(&transitions);
            prop_assert_eq!(decode_transitions(&text, transitions.len()), Some(transitions));
        }

        #[test]
        fn transition_decoder_accepts_any_text(text in "[bu?0-9é]{0,12}") {
            let decoded = decode_transitions(&text, 50);
            prop_assert!(decoded.is_none_or(|transitions| transitions.len() <= 50));
        }
    }

    #[test]
    fn equal_transitions_are_stored_as_one_run() {
        let mut all = vec![Some(Transition::Began); 199];
        all.push(None);
        assert_eq!(encode_transitions(&all), "b199?1");
    }
}
