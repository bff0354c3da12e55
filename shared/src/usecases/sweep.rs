//! Find work that its worker left open, so that every job ends.

use std::collections::HashSet;
use std::time::Duration;

use super::execute::{dequeue_if_ended, execute, fail_remaining};
use crate::App;
use crate::domain::{QueueKind, Timestamp};
use crate::store::{OPEN_SHARDS, StoreError, WorkItemKey};

/// A work item whose request is older than this is overdue.
const OVERDUE_AFTER: Duration = Duration::from_mins(1);

/// The attempts after which a work item is ended as failed. There is one sweep a minute.
const MAX_ATTEMPTS: u32 = 10;

/// The age at which a work item is ended as failed if its attempts cannot be counted: its age after [`MAX_ATTEMPTS`]
/// sweeps.
const MAX_UNCOUNTED_AGE: Duration = Duration::from_mins(11);

/// The most work items of a shard that one sweep attempts.
const MAX_WORK_ITEMS_PER_SHARD: usize = 100;

/// The most held jobs of a shard that one sweep checks.
const MAX_HELD_JOBS_PER_SHARD: usize = 100;

/// The results of a sweep.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Work items that were executed.
    pub executed: usize,
    /// Work items that were ended as failed, or closed because they cannot be read.
    pub failed: usize,
    /// Overdue work items that are still open.
    pub remaining: usize,
    /// Shards whose work items were not listed, because the query failed or the deadline had passed.
    pub unlisted_shards: usize,
    /// When the oldest overdue work item that the sweep found was requested.
    pub oldest: Option<Timestamp>,
}

/// Unblocks held jobs whose earlier job has ended, executes every overdue work item, the oldest of each shard first,
/// and ends those as failed that ten sweeps could not execute. Returns what was done and what is left, also if
/// `deadline`, by the service's clock, passes or a shard cannot be listed. Each error is logged, and the next sweep
/// does what is left.
///
/// Costs two queries per shard, and what each work item takes. Starts at a random shard, so that one slow shard does
/// not starve the others.
///
/// # Errors
/// [`StoreError`] if no shard could be listed. A work item that fails is counted and stays open.
pub async fn sweep(app: &App, deadline: Timestamp) -> Result<SweepReport, StoreError> {
    let mut report = SweepReport::default();
    let mut first_error = None;
    let first_shard = fastrand::u8(0..OPEN_SHARDS);
    for shard in (first_shard..OPEN_SHARDS).chain(0..first_shard) {
        if app.clock().now() >= deadline {
            tracing::warn!(shard, "the deadline has passed before the work items of a shard were listed");
            report.unlisted_shards += 1;
            continue;
        }
        let overdue = app.clock().now().minus(OVERDUE_AFTER);
        if let Err(problem) = unblock_held_jobs(app, shard, overdue).await {
            tracing::warn!(shard, %problem, "held jobs could not be unblocked");
        }
        match app.store.open_work_items(shard, Some(overdue), MAX_WORK_ITEMS_PER_SHARD).await {
            Ok(keys) => sweep_work_items(app, keys, deadline, &mut report).await,
            Err(problem) => {
                tracing::error!(shard, %problem, "the work items of a shard could not be listed");
                report.unlisted_shards += 1;
                first_error.get_or_insert(problem);
            }
        }
    }
    match first_error {
        Some(problem) if report.unlisted_shards == usize::from(OPEN_SHARDS) => Err(problem),
        _ => Ok(report),
    }
}

/// Unblocks held jobs whose earlier job has ended, however recently: for the start of a server. Beside another worker
/// that is about to do so, it does the same once more, which changes nothing. Costs one query per shard, and what each
/// such job takes.
///
/// # Errors
/// [`StoreError`] if the table failed.
pub async fn unblock_queues(app: &App) -> Result<(), StoreError> {
    // Later than every stamp.
    let end = app.clock().now().plus(OVERDUE_AFTER);
    for shard in 0..OPEN_SHARDS {
        unblock_held_jobs(app, shard, end).await?;
    }
    Ok(())
}

async fn sweep_work_items(app: &App, keys: Vec<WorkItemKey>, deadline: Timestamp, report: &mut SweepReport) {
    let requested_at = keys.iter().map(|key| key.job.0.time());
    report.oldest = report.oldest.into_iter().chain(requested_at).min();
    for key in keys {
        if app.clock().now() >= deadline {
            report.remaining += 1;
            continue;
        }
        match attempt_work_item(app, key).await {
            Ok(AttemptResult::Executed) => report.executed += 1,
            Ok(AttemptResult::Failed) => report.failed += 1,
            Err(problem) => {
                tracing::warn!(job = %key.job, work_item = key.number, %problem, "an overdue work item failed");
                report.remaining += 1;
            }
        }
    }
}

/// Unblocks the held jobs of a shard whose earlier job has ended: the worker that ended it may have stopped before it
/// could. Costs one query, and one [`crate::store::Store::unblock`] per tenant and kind of queue.
async fn unblock_held_jobs(app: &App, shard: u8, overdue: Timestamp) -> Result<(), StoreError> {
    let mut seen_queues = HashSet::new();
    for job in app.store.held_jobs(shard, overdue, MAX_HELD_JOBS_PER_SHARD).await? {
        if seen_queues.insert((job.queues.first().cloned(), QueueKind::of(&job.task))) {
            app.store.unblock(&job).await?;
        }
    }
    Ok(())
}

enum AttemptResult {
    Executed,
    Failed,
}

async fn attempt_work_item(app: &App, key: WorkItemKey) -> Result<AttemptResult, StoreError> {
    if !attempts_exhausted(app, key).await? {
        execute(app, key).await?;
        return Ok(AttemptResult::Executed);
    }
    let problem = match fail_remaining(app, key).await {
        Err(problem @ StoreError::Unreadable(_)) => problem.to_string(),
        Err(problem) => return Err(problem),
        Ok(()) => "the job of the work item is missing".to_owned(),
    };
    // A work item that was ended as failed is no longer open, so there is nothing to close.
    if app.store.close_unreadable(key).await? {
        tracing::error!(job = %key.job, work_item = key.number, problem, "closed an unreadable work item; its item is kept");
        if let Some(job) = app.store.continue_lane(key).await? {
            dequeue_if_ended(app, &job).await?;
        }
    } else {
        tracing::error!(job = %key.job, work_item = key.number, "work item ended as failed");
    }
    Ok(AttemptResult::Failed)
}

/// Counts one more attempt of a work item, and returns whether there were too many. If the count cannot be read, the
/// age of the work item decides.
async fn attempts_exhausted(app: &App, key: WorkItemKey) -> Result<bool, StoreError> {
    match app.store.count_attempt(key).await {
        Ok(attempts) => Ok(attempts > MAX_ATTEMPTS),
        Err(problem @ (StoreError::Unreadable(_) | StoreError::Refused(_))) => {
            match app.store.open_work_item(key).await {
                Err(StoreError::Unreadable(_)) => {
                    Ok(key.job.0.time() < app.clock().now().minus(MAX_UNCOUNTED_AGE))
                }
                _ => Err(problem),
            }
        }
        Err(problem) => Err(problem),
    }
}
