//! Find work that was left lying, so that no job is under way for ever.

use std::collections::HashSet;
use std::time::Duration;

use super::execute::{dequeue_if_ended, execute, fail_remaining};
use crate::App;
use crate::domain::{QueueKind, Timestamp};
use crate::store::{OPEN_SHARDS, StoreError, WorkItemKey};

/// A piece of a request that is older than this should have been carried out.
const OVERDUE_AFTER: Duration = Duration::from_mins(1);

/// After so many sweeps a piece is given up. One sweep a minute.
const MAX_ATTEMPTS: u32 = 10;

/// The age at which a piece is given up where its attempts cannot be counted: that of one that was swept [`MAX_ATTEMPTS`] times.
const MAX_UNCOUNTED_AGE: Duration = Duration::from_mins(11);

/// The most pieces of a shard that one sweep takes on.
const MAX_WORK_ITEMS_PER_SHARD: usize = 100;

/// The most jobs of a shard that wait for an earlier one of their tenant and are looked at in one sweep.
const MAX_HELD_JOBS_PER_SHARD: usize = 100;

/// What a sweep has found and done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Pieces that were carried out.
    pub executed: usize,
    /// Pieces that were ended as failed, or closed because they cannot be read.
    pub failed: usize,
    /// Pieces that are still open.
    pub remaining: usize,
    /// Shards whose open pieces were not listed: the listing failed, or no time was left. The next sweep lists them.
    pub unlisted_shards: usize,
}

/// Gives its turn to each job that waits for one that has ended, carries out every piece that is overdue, the oldest of each
/// shard first, and gives up those that ten sweeps could not carry out. Returns what was done and what is left, also when
/// the time ends or a shard cannot be listed; each problem is logged. `until` is when the sweep must have ended, by the
/// service's clock; what it does not reach is found by the next.
///
/// Two queries for each shard; it begins with a random shard, so that a shard that takes all the time does not starve the
/// others.
///
/// # Errors
/// [`StoreError`] where no shard could be listed; a piece that fails is counted and left.
pub async fn sweep(app: &App, deadline: Timestamp) -> Result<SweepReport, StoreError> {
    let mut swept = SweepReport::default();
    let mut first_problem = None;
    let first = fastrand::u8(0..OPEN_SHARDS);
    for shard in (first..OPEN_SHARDS).chain(0..first) {
        if app.clock().now() >= deadline {
            tracing::warn!(shard, "no time is left to list the open work of a shard");
            swept.unlisted_shards += 1;
            continue;
        }
        let overdue = app.clock().now().minus(OVERDUE_AFTER);
        if let Err(problem) = unblock_held_jobs(app, shard, overdue).await {
            tracing::warn!(shard, %problem, "large jobs that wait in line could not be looked after");
        }
        match app.store.open_work_items(shard, Some(overdue), MAX_WORK_ITEMS_PER_SHARD).await {
            Ok(keys) => sweep_work_items(app, keys, deadline, &mut swept).await,
            Err(problem) => {
                tracing::error!(shard, %problem, "the open work of a shard cannot be listed");
                swept.unlisted_shards += 1;
                first_problem.get_or_insert(problem);
            }
        }
    }
    match first_problem {
        Some(problem) if swept.unlisted_shards == usize::from(OPEN_SHARDS) => Err(problem),
        _ => Ok(swept),
    }
}

/// Gives its turn to each large job that waits for one that has ended, however short a while ago: for the start of a server that
/// is the only one, when no worker is under way. One query for each shard, and what each such job takes.
///
/// # Errors
/// [`StoreError`] where the table failed.
pub async fn unblock_queues(app: &App) -> Result<(), StoreError> {
    // Later than every stamp.
    let end = app.clock().now().plus(OVERDUE_AFTER);
    for shard in 0..OPEN_SHARDS {
        unblock_held_jobs(app, shard, end).await?;
    }
    Ok(())
}

async fn sweep_work_items(app: &App, keys: Vec<WorkItemKey>, deadline: Timestamp, swept: &mut SweepReport) {
    for key in keys {
        if app.clock().now() >= deadline {
            swept.remaining += 1;
            continue;
        }
        match attempt_work_item(app, key).await {
            Ok(AttemptResult::Executed) => swept.executed += 1,
            Ok(AttemptResult::Failed) => swept.failed += 1,
            Err(problem) => {
                tracing::warn!(job = %key.job, piece = key.number, %problem, "an overdue piece failed");
                swept.remaining += 1;
            }
        }
    }
}

/// Gives its turn to each large job that waits for one that has ended: the worker that ended it may have been stopped before
/// it could. One query, and [`crate::store::Store::unblock`] once for each line of a tenant.
async fn unblock_held_jobs(app: &App, shard: u8, overdue: Timestamp) -> Result<(), StoreError> {
    let mut lines = HashSet::new();
    for job in app.store.held_jobs(shard, overdue, MAX_HELD_JOBS_PER_SHARD).await? {
        if lines.insert((job.queues.first().cloned(), QueueKind::of(&job.task))) {
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
        Ok(()) => "its job is missing".to_owned(),
    };
    // What could be ended has left the index, and is not open any more.
    if app.store.close_unreadable(key).await? {
        tracing::error!(job = %key.job, piece = key.number, problem, "a piece that cannot be read was closed; its item is kept");
        if let Some(job) = app.store.continue_lane(key).await? {
            dequeue_if_ended(app, &job).await?;
        }
    } else {
        tracing::error!(job = %key.job, piece = key.number, "piece given up");
    }
    Ok(AttemptResult::Failed)
}

/// Counts one more attempt of a piece, and says whether it has had enough of them. Where the count itself cannot be read,
/// the age of the piece decides.
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
