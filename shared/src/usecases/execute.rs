//! Carry out a piece of a job.

use std::ops::Range;

use super::conflict_retries::{ConflictRetries, Mode};
use super::earlier_jobs::{Backoff, has_open_earlier_job};
use super::failures::Failures;
use super::respond_to_all_job::execute_respond_to_all;
use crate::App;
use crate::domain::{Job, Outcome, Plan, Task};
use crate::store::{Commit, OpenWorkItem, Snapshot, StoreError, WorkItemKey};

/// Carries out what is left of a piece, step by step: reads what the step touches, decides, and writes the decision with
/// the piece's cursor in one transaction. A piece that is finished already, or that another worker finishes meanwhile,
/// is left alone.
///
/// A worker may die at any point, or work beside another one on the same piece: a step is made wholly and once, or
/// not at all.
///
/// # Errors
/// [`StoreError`] where the table failed; what was done stays done, and the rest is done by the next attempt.
pub async fn execute(app: &App, key: WorkItemKey) -> Result<(), StoreError> {
    run_work_item(app, key, Mode::Execute).await
}

/// Ends a piece that many attempts could not carry out: what is not as the job wants it has failed.
///
/// # Errors
/// [`StoreError`] where the table failed.
pub async fn fail_remaining(app: &App, key: WorkItemKey) -> Result<(), StoreError> {
    run_work_item(app, key, Mode::FailRemaining).await
}

async fn run_work_item(app: &App, key: WorkItemKey, mode: Mode) -> Result<(), StoreError> {
    let (store, rules) = (&app.store, app.settings.rules());
    let Some(mut open) = store.open_work_item(key).await? else { return Ok(()) };
    if matches!(open.job.task, Task::RespondToAll { .. }) {
        execute_respond_to_all(app, key, mode).await?;
        return store.dequeue(&open.job).await;
    }
    let mut stale = ConflictRetries::default();
    while open.work_item.finished_at.is_none() {
        let pairs = open.job.next_step(open.work_item.remaining_pairs());
        let (read, decision) = match (load_step(app, &open, pairs.clone(), mode).await, mode) {
            (Ok(read), Mode::Execute) => {
                let decision = read.plan(&open.job, pairs, rules);
                (read, decision)
            }
            (Ok(read), Mode::FailRemaining) => {
                let decision = read.plan_failure(&open.job, pairs, rules);
                (read, decision)
            }
            (Err(StoreError::Unreadable(attribute)), Mode::FailRemaining) => {
                tracing::error!(job = %key.job, piece = key.number, attribute, "an item cannot be read");
                let outcomes = pairs.map(|_| Outcome::RetriesExhausted).collect();
                (Snapshot::default(), Plan { outcomes, ..Plan::default() })
            }
            (Err(problem), _) => return Err(problem),
        };
        if store.commit_step(&mut open, &decision, &read).await? == Commit::Committed {
            stale = ConflictRetries::default();
            continue;
        }
        stale.backoff().await?;
        let Some(again) = store.open_work_item(key).await? else { return Ok(()) };
        open = again;
    }
    let failures = Failures::from_outcomes(&open.job, open.work_item.pairs.start, &open.work_item.outcomes);
    tracing::info!(
        job = %key.job,
        piece = key.number,
        pairs = open.work_item.pairs.len(),
        failed = failures.count,
        first_failure = failures.describe_first(),
        code = failures.first_code(),
        "piece finished"
    );
    dequeue_if_ended(app, &open.job).await
}

/// Reads what a step is decided from. An answer waits until what was requested before it is carried out on its pairs.
async fn load_step(
    app: &App,
    open: &OpenWorkItem,
    pairs: Range<usize>,
    mode: Mode,
) -> Result<Snapshot, StoreError> {
    let pairs: Vec<_> = pairs.filter_map(|number| open.job.pair(number)).collect();
    let mut waiting = Backoff::new();
    loop {
        let mut read = app.store.step_snapshot(&open.job.task, &pairs).await?;
        if !matches!(open.job.task, Task::Respond { .. }) || mode == Mode::FailRemaining {
            return Ok(read);
        }
        let owners = read.image_owners();
        app.store.read_tenants(&mut read, &owners).await?;
        if !has_open_earlier_job(app, &read, &pairs, Some(open.job.id)).await? {
            return Ok(read);
        }
        if !waiting.wait().await {
            return Err(StoreError::Unavailable("an earlier request is not carried out yet".into()));
        }
    }
}

/// Takes a job out of its queues where its last piece has ended. One query, unless the job is in none.
pub(super) async fn dequeue_if_ended(app: &App, job: &Job) -> Result<(), StoreError> {
    if job.queues.is_empty() {
        return Ok(());
    }
    let has_ended = if job.is_large() {
        app.store.report(job.id).await?.is_some_and(|report| report.ended_at().is_some())
    } else {
        true
    };
    if has_ended { app.store.dequeue(job).await } else { Ok(()) }
}
