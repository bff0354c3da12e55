//! Jobs that decide on everything in an inbox, and so find their images themselves: they scan the list of a tenant's
//! pending images. Each step commits a finished work item with the images that it found and their outcomes.

use super::client::Store;
use super::commit::plan_writes;
use super::error::{StoreError, WriteError};
use super::item::{self, Item};
use super::items::job::{JOB_RETENTION, TRANSITIONS, encode_outcomes, encode_transitions};
use super::keys::{self, Position, WorkItemKey};
use super::snapshot::Snapshot;
use super::table_calls::Commit;
use crate::domain::{ImageId, Job, JobId, Plan, Timestamp};
use crate::table::Write;

/// The attribute of a job that holds the position of its scan.
const SCANNED_TO: &str = "walked_to";

/// The progress of a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PendingScan {
    /// The job.
    pub(crate) job: Job,
    /// Its position: the next step starts after it. `None` before the first step.
    pub(crate) after: Option<Position>,
    /// The number of steps that found images, each of which is a work item of the job.
    steps: u16,
    /// The number of pairs that it has found.
    pairs: usize,
}

/// One step of a scan.
#[derive(Debug)]
pub(crate) struct ScanStep<'a> {
    /// The images that the step found.
    pub(crate) found: &'a [ImageId],
    /// The plan for them.
    pub(crate) plan: &'a Plan,
    /// The snapshot that the plan was made from.
    pub(crate) snapshot: &'a Snapshot,
    /// The position of the scan after the step.
    pub(crate) after: Option<Position>,
    /// Whether the list ends there, and with it the job.
    pub(crate) is_last: bool,
}

impl Store {
    /// Reads the progress of a job's scan; `None` if it has ended or the job does not exist. One read.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub(crate) async fn open_scan(&self, job: JobId) -> Result<Option<PendingScan>, StoreError> {
        let item = self.read_one(keys::job(job)).await?;
        item.filter(|item| item.contains_key(keys::GPK)).as_ref().map(parse).transpose()
    }

    /// Commits one step of a scan: its plan, its work item and the scan's new position. Returns a conflict, and writes
    /// nothing, if a guard no longer holds or the scan has moved. On success, `scan` is updated to what the table
    /// holds. One transaction.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub(crate) async fn commit_scan_step(
        &self,
        scan: &mut PendingScan,
        step: &ScanStep<'_>,
    ) -> Result<Commit, StoreError> {
        let now = self.clock.now();
        let mut writes = plan_writes(step.plan, step.snapshot, now)?;
        let new_work_items = u16::from(!step.found.is_empty());
        if new_work_items > 0 {
            writes.push(finished_work_item(scan, step, now)?);
        }
        writes.push(advance_scan(scan, step, new_work_items, now));
        match self.transact(&writes).await {
            Ok(()) => {
                self.inbox_cache.apply_plan(step.plan);
                scan.after.clone_from(&step.after);
                scan.steps = scan.steps.saturating_add(new_work_items);
                scan.pairs += step.found.len();
                Ok(Commit::Committed)
            }
            Err(WriteError::ConditionFailed(_)) => Ok(Commit::Conflict),
            Err(WriteError::Store(error)) => Err(error),
        }
    }
}

/// Moves the position of a scan, if it is where it was read; the last step ends the job.
fn advance_scan(scan: &PendingScan, step: &ScanStep<'_>, new_work_items: u16, now: Timestamp) -> Write {
    const ADVANCE: &str = "SET steps = :steps, walked = :walked, walked_to = :to";
    const FINISH: &str =
        "SET steps = :steps, walked = :walked, walked_to = :to, finished = :now REMOVE gpk, gsk";
    let key = keys::job(scan.job.id);
    let write = if step.is_last {
        Write::update(key, FINISH).value(":now", item::number(now.unix_millis()))
    } else {
        Write::update(key, ADVANCE)
    };
    let write = match &scan.after {
        None => write.only_if("attribute_exists(gpk) AND attribute_not_exists(walked_to)"),
        Some(after) => {
            write.only_if("attribute_exists(gpk) AND walked_to = :from").value(":from", item::text(after))
        }
    };
    write
        .value(":steps", item::number(scan.steps.saturating_add(new_work_items)))
        .value(":walked", item::number((scan.pairs + step.found.len()) as i128))
        .value(":to", item::text(step.after.as_ref().map(ToString::to_string).unwrap_or_default()))
}

/// Creates the work item of a step, finished, with the images that were found and their outcomes.
fn finished_work_item(scan: &PendingScan, step: &ScanStep<'_>, now: Timestamp) -> Result<Write, StoreError> {
    let key = WorkItemKey { job: scan.job.id, number: scan.steps.saturating_add(1) };
    let attributes = [
        ("first", item::number(scan.pairs as i128)),
        ("pairs", item::number(step.found.len() as i128)),
        ("found", item::json(&step.found)?),
        ("outcomes", item::text(encode_outcomes(&step.plan.outcomes))),
        (TRANSITIONS, item::text(encode_transitions(&step.plan.transitions))),
        ("finished", item::number(now.unix_millis())),
        ("attempts", item::number(0)),
        (keys::TTL, item::number(scan.job.accepted_at.plus(JOB_RETENTION).unix_seconds())),
    ];
    Ok(Write::put(item::item(key.primary_key(), attributes)))
}

fn parse(item: &Item) -> Result<PendingScan, StoreError> {
    let after = item.contains_key(SCANNED_TO).then(|| item::get_text(item, SCANNED_TO)).transpose()?;
    let after = after.map(|text| Position::parse(text).ok_or(StoreError::Unreadable(SCANNED_TO)));
    Ok(PendingScan {
        job: item::get_json(item, "job")?,
        after: after.transpose()?,
        steps: item::find_number(item, "steps")?.unwrap_or_default(),
        pairs: item::find_number(item, "walked")?.unwrap_or_default(),
    })
}
