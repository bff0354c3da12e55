//! Carry out a job that answers everything that waits for a tenant: walk along the list of it, oldest image first.
//!
//! The list is longer than a job could name, and changes while it is walked along. What the tenant is asked after its
//! request is not answered, nor is accepted what its owner hides meanwhile: nobody consents to what they do not see.

use std::time::Duration;

use super::conflict_retries::{ConflictRetries, Mode};
use super::failures::Failures;
use crate::App;
use crate::domain::{Bypass, ImageId, Job, Outcome, Plan, Stamp, Status, Task, TenantId, Visibility};
use crate::store::{
    Commit, List, Order, Pair, PendingScan, Position, ScanStep, Snapshot, StoreError, WorkItemKey,
};

/// The most images of a step: their records and memberships are one batch read.
const MAX_IMAGES_PER_STEP: usize = 48;

/// By how much the clocks of two machines may differ: an image that was registered so long after the request was certainly
/// not waiting when it was made, nor was any after it in the list.
const MAX_CLOCK_SKEW: Duration = Duration::from_mins(5);

/// Walks on from where the job is. One that has ended is left alone.
///
/// # Errors
/// [`StoreError`] where the table failed; what was done stays done, and the rest is done by the next attempt.
pub(super) async fn execute_respond_to_all(
    app: &App,
    key: WorkItemKey,
    mode: Mode,
) -> Result<(), StoreError> {
    let Some(mut walk) = app.store.open_scan(key.job).await? else { return Ok(()) };
    let (mut stale, mut failures) = (ConflictRetries::default(), Failures::default());
    loop {
        let Some(tenant) = walk.job.tenants.first() else { return Err(StoreError::Unreadable("job")) };
        let (places, is_last) = next_positions(app, &walk, tenant).await?;
        let (job, decision, read) = plan_step(app, &walk, &places, mode).await?;
        let stride = scan_step(&walk, &job, &places, is_last, (&decision, &read));
        match app.store.commit_scan_step(&mut walk, &stride).await? {
            Commit::Committed => {
                failures.add_outcomes(&job, 0, &decision.outcomes);
                if stride.is_last {
                    let (first_failure, code) = (failures.describe_first(), failures.first_code());
                    tracing::info!(
                        job = %key.job,
                        failed = failures.count,
                        first_failure,
                        code,
                        "everything answered"
                    );
                    return Ok(());
                }
                stale = ConflictRetries::default();
            }
            Commit::Conflict => {
                stale.backoff().await?;
                let Some(again) = app.store.open_scan(key.job).await? else { return Ok(()) };
                walk = again;
            }
        }
    }
}

/// The next places of the list, and whether they are the last.
async fn next_positions(
    app: &App,
    walk: &PendingScan,
    tenant: &TenantId,
) -> Result<(Vec<Position>, bool), StoreError> {
    let list = List::Received(tenant.clone(), Status::Pending);
    let (after, most) = (walk.after.as_ref(), MAX_IMAGES_PER_STEP);
    let mut places = app.store.positions(&list, after, Order::OldestFirst, most).await?;
    let end = walk.job.id.0.time().plus(MAX_CLOCK_SKEW);
    places.retain(|place| place.created <= end);
    let is_last = places.len() < most;
    Ok((places, is_last))
}

/// What becomes of the images of some places: the job with those that waited when it was requested, and what was decided of
/// them from what was read.
async fn plan_step(
    app: &App,
    walk: &PendingScan,
    places: &[Position],
    mode: Mode,
) -> Result<(Job, Plan, Snapshot), StoreError> {
    let (rules, task, at) = (app.settings.rules(), &walk.job.task, walk.job.id.0);
    let pairs =
        places.iter().zip(walk.job.tenants.iter().cycle()).map(|(place, tenant)| (&place.image, tenant));
    let pairs: Vec<_> = pairs.collect();
    let job = |images: Vec<ImageId>| Job { images, ..walk.job.clone() };
    let read = match (app.store.step_snapshot(task, &pairs).await, mode) {
        (Ok(read), _) => read,
        (Err(StoreError::Unreadable(attribute)), Mode::FailRemaining) => {
            tracing::error!(job = %walk.job.id, attribute, "an item cannot be read");
            let outcomes = vec![Outcome::RetriesExhausted; places.len()];
            let images = places.iter().map(|place| place.image.clone()).collect();
            return Ok((job(images), Plan { outcomes, ..Plan::default() }, Snapshot::default()));
        }
        (Err(problem), _) => return Err(problem),
    };
    let accepts = matches!(task, Task::RespondToAll { status: Status::Accepted, .. });
    let answered = |image| !accepts || !is_hidden(&read, image);
    let found = pairs
        .into_iter()
        .filter(|(image, tenant)| was_pending_at(&read, (image, tenant), at) && answered(image));
    let job = job(found.map(|(image, _)| image.clone()).collect());
    let decision = match mode {
        Mode::Execute => read.plan(&job, 0..job.images.len(), rules),
        Mode::FailRemaining => read.plan_failure(&job, 0..job.images.len(), rules),
    };
    Ok((job, decision, read))
}

/// Whether the image waits for the tenant's answer, and did so at the moment of the request.
fn was_pending_at(read: &Snapshot, pair: Pair<'_>, at: Stamp) -> bool {
    read.membership(pair).is_some_and(|membership| {
        membership.is_pending() && membership.active().is_some_and(|standing| standing.since < at)
    })
}

/// Whether the image is not shared any more, though its memberships stand (`contract/decisions.md` 25): it is not in the view
/// of what waits, and leaves the list once the job of its hiding is carried out. Rejecting everything takes along what is
/// still there.
fn is_hidden(read: &Snapshot, image: &ImageId) -> bool {
    let image = read.image(image).map(|image| image.bypass(Bypass::Worker));
    image.is_some_and(|image| image.visibility != Visibility::Shared)
}

/// The step that was decided: of as many of the places as one transaction writes.
fn scan_step<'a>(
    walk: &PendingScan,
    job: &'a Job,
    places: &[Position],
    is_last: bool,
    (decision, read): (&'a Plan, &'a Snapshot),
) -> ScanStep<'a> {
    let decided: usize = decision.outcomes.len();
    let found = job.images.get(..decided).unwrap_or_default();
    let all = decided == job.images.len();
    let after =
        if all { places.last() } else { places.iter().find(|place| found.last() == Some(&place.image)) };
    let after = after.cloned().or_else(|| walk.after.clone());
    ScanStep { found, plan: decision, snapshot: read, after, is_last: is_last && all }
}
