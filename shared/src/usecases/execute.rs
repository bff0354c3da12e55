//! Execute a work item of a job.

use std::ops::Range;

use super::conflict_retries::{ConflictRetries, Mode};
use super::earlier_jobs::{Backoff, has_open_earlier_job};
use super::failures::Failures;
use super::respond_to_all_job::execute_respond_to_all;
use crate::App;
use crate::domain::{Bypass, Job, Outcome, Plan, Task};
use crate::store::{Commit, OpenWorkItem, Snapshot, StoreError, WorkItemKey};

/// Executes the remaining pairs of a work item, step by step: reads a snapshot, plans, and commits the plan with the
/// work item's cursor in one transaction. Does nothing if the work item is finished, or once another worker has
/// finished it.
///
/// A worker may die at any point, and two may execute the same work item: each step is committed once and wholly, or
/// not at all.
///
/// # Errors
/// [`StoreError`] if the table failed. Committed steps stay committed, and the next attempt continues after them.
pub async fn execute(app: &App, key: WorkItemKey) -> Result<(), StoreError> {
    run_work_item(app, key, Mode::Execute).await
}

/// Ends a work item after too many attempts: each remaining pair that is not yet as the job requests fails.
///
/// # Errors
/// [`StoreError`] if the table failed.
pub async fn fail_remaining(app: &App, key: WorkItemKey) -> Result<(), StoreError> {
    run_work_item(app, key, Mode::FailRemaining).await
}

async fn run_work_item(app: &App, key: WorkItemKey, mode: Mode) -> Result<(), StoreError> {
    let (store, rules) = (&app.store, app.settings.rules());
    let Some(mut open) = store.open_work_item(key).await? else { return Ok(()) };
    if open.job.task.finds_images() {
        execute_respond_to_all(app, key, mode).await?;
        return store.dequeue(&open.job).await;
    }
    let mut retries = ConflictRetries::default();
    while open.work_item.finished_at.is_none() {
        let pairs = open.job.next_step(open.work_item.remaining_pairs());
        let (snapshot, plan) = match (load_step(app, &open, pairs.clone(), mode).await, mode) {
            (Ok(snapshot), Mode::Execute) => {
                let plan = snapshot.plan(&open.job, pairs, rules);
                (snapshot, plan)
            }
            (Ok(snapshot), Mode::FailRemaining) => {
                let plan = snapshot.plan_failure(&open.job, pairs, rules);
                (snapshot, plan)
            }
            (Err(StoreError::Unreadable(attribute)), Mode::FailRemaining) => {
                tracing::error!(job = %key.job, work_item = key.number, attribute, "an item cannot be read");
                let outcomes = pairs.map(|_| Outcome::RetriesExhausted).collect();
                (Snapshot::default(), Plan { outcomes, ..Plan::default() })
            }
            (Err(problem), _) => return Err(problem),
        };
        if store.commit_step(&mut open, &plan, &snapshot).await? == Commit::Committed {
            retries = ConflictRetries::default();
            continue;
        }
        retries.backoff().await?;
        let Some(reopened) = store.open_work_item(key).await? else { return Ok(()) };
        open = reopened;
    }
    let failures = Failures::from_outcomes(&open.job, open.work_item.pairs.start, &open.work_item.outcomes);
    tracing::info!(
        job = %key.job,
        work_item = key.number,
        pairs = open.work_item.pairs.len(),
        failed = failures.count,
        first_failure = failures.describe_first(),
        code = failures.first_code(),
        "work item finished"
    );
    dequeue_if_ended(app, &open.job).await
}

/// Reads the snapshot of a step. A decision first waits until the earlier jobs on its pairs are executed.
async fn load_step(
    app: &App,
    open: &OpenWorkItem,
    pairs: Range<usize>,
    mode: Mode,
) -> Result<Snapshot, StoreError> {
    let pairs: Vec<_> = pairs.filter_map(|number| open.job.pair(number)).collect();
    let mut backoff = Backoff::new();
    loop {
        let mut snapshot = app.store.step_snapshot(&open.job.task, &pairs).await?;
        if !matches!(open.job.task, Task::Respond { .. }) || mode == Mode::FailRemaining {
            return Ok(snapshot);
        }
        let owners = snapshot.image_owners();
        app.store.read_tenants(&mut snapshot, &owners).await?;
        if !has_open_earlier_job(app, &snapshot, &pairs, Some(open.job.id)).await? {
            return Ok(snapshot);
        }
        if !backoff.wait().await {
            return Err(StoreError::Unavailable("an earlier job on the pair is still open".into()));
        }
    }
}

/// Takes a job out of its queues if its last work item has ended. Does nothing for a job that is in no queue;
/// otherwise costs one query for a large job, and the removal.
pub(super) async fn dequeue_if_ended(app: &App, job: &Job) -> Result<(), StoreError> {
    if job.queues.is_empty() {
        return Ok(());
    }
    let has_ended = if job.is_large() {
        let report = app.store.report(job.id).await?.map(|report| report.bypass(Bypass::Worker));
        report.is_some_and(|report| report.ended_at().is_some())
    } else {
        true
    };
    if has_ended { app.store.dequeue(job).await } else { Ok(()) }
}
