//! Execute a job that decides on all images pending for a tenant, or on those of some owners: scan the list of them,
//! oldest image first.
//!
//! The list is longer than a job could name, and changes during the scan. An image shared after the request is not
//! decided on, and an image that its owner hides meanwhile is not accepted: a tenant does not consent to an image it
//! cannot see.

use std::time::Duration;

use super::conflict_retries::{ConflictRetries, Mode};
use super::failures::Failures;
use crate::App;
use crate::domain::{Bypass, ImageId, Job, Outcome, Plan, Stamp, Status, Task, TenantId, Visibility};
use crate::store::{
    Commit, Cursor, List, ListQuery, Order, Pair, PendingScan, Position, ScanStep, Snapshot, StoreError,
    WorkItemKey,
};

/// The most images of a step, so that their heads and memberships fit into one batch read.
const MAX_IMAGES_PER_STEP: usize = 48;

/// The most by which the clocks of two machines differ. An image registered longer than this after the request was not
/// pending at the request, and neither was any after it in the list.
const MAX_CLOCK_SKEW: Duration = Duration::from_mins(5);

/// Continues the scan of a job at its cursor. Does nothing if the job has ended.
///
/// # Errors
/// [`StoreError`] if the table failed. Committed steps stay committed, and the next attempt continues after them.
pub(super) async fn execute_respond_to_all(
    app: &App,
    key: WorkItemKey,
    mode: Mode,
) -> Result<(), StoreError> {
    let Some(mut scan) = app.store.open_scan(key.job).await? else { return Ok(()) };
    let (mut retries, mut failures) = (ConflictRetries::default(), Failures::default());
    loop {
        let Some(tenant) = scan.job.tenants.first() else { return Err(StoreError::Unreadable("job")) };
        let (positions, is_last) = next_positions(app, &scan, tenant).await?;
        let (job, plan, snapshot) = plan_step(app, &scan, &positions, mode).await?;
        let step = scan_step(&scan, &job, &positions, is_last, (&plan, &snapshot));
        match app.store.commit_scan_step(&mut scan, &step).await? {
            Commit::Committed => {
                failures.add_outcomes(&job, 0, &plan.outcomes);
                if step.is_last {
                    let (first_failure, code) = (failures.describe_first(), failures.first_code());
                    tracing::info!(
                        job = %key.job,
                        failed = failures.count,
                        first_failure,
                        code,
                        "all pending images decided"
                    );
                    return Ok(());
                }
                retries = ConflictRetries::default();
            }
            Commit::Conflict => {
                retries.backoff().await?;
                let Some(reopened) = app.store.open_scan(key.job).await? else { return Ok(()) };
                scan = reopened;
            }
        }
    }
}

/// The next positions of the list, and whether they are the last.
async fn next_positions(
    app: &App,
    scan: &PendingScan,
    tenant: &TenantId,
) -> Result<(Vec<Position>, bool), StoreError> {
    let list = List::Received(tenant.clone(), Status::Pending);
    let (after, limit) = (scan.after.clone().map(Cursor::from), MAX_IMAGES_PER_STEP);
    let all = ListQuery::ByCreation(list.clone());
    let query = match scan.job.task.owners() {
        None => all.clone(),
        Some(owners) => ListQuery::ByOwners(list, owners.clone()),
    };
    let mut page = app.store.query_list(&query, after.as_ref(), Order::OldestFirst, limit).await?;
    if page.is_truncated && page.cursors.is_empty() {
        // The step has to move the scan: it passes the images of other owners.
        page = app.store.query_list(&all, after.as_ref(), Order::OldestFirst, limit).await?;
    }
    let mut positions: Vec<_> = page.cursors.into_iter().map(|cursor| cursor.position).collect();
    let end = scan.job.id.0.time().plus(MAX_CLOCK_SKEW);
    positions.retain(|position| position.created <= end);
    let is_last = positions.len() < limit && !page.is_truncated;
    Ok((positions, is_last))
}

/// Plans a step over the images at some positions. Returns the job, reduced to the images to decide on, with the plan
/// and the snapshot it was made from.
async fn plan_step(
    app: &App,
    scan: &PendingScan,
    positions: &[Position],
    mode: Mode,
) -> Result<(Job, Plan, Snapshot), StoreError> {
    let (rules, task, at) = (app.settings.rules(), &scan.job.task, scan.job.id.0);
    let pairs = positions
        .iter()
        .zip(scan.job.tenants.iter().cycle())
        .map(|(position, tenant)| (&position.image, tenant));
    let pairs: Vec<_> = pairs.collect();
    let job = |images: Vec<ImageId>| Job { images, ..scan.job.clone() };
    let snapshot = match (app.store.step_snapshot(task, &pairs).await, mode) {
        (Ok(snapshot), _) => snapshot,
        (Err(StoreError::Unreadable(attribute)), Mode::FailRemaining) => {
            tracing::error!(job = %scan.job.id, attribute, "an item cannot be read");
            let outcomes = vec![Outcome::RetriesExhausted; positions.len()];
            let images = positions.iter().map(|position| position.image.clone()).collect();
            return Ok((job(images), Plan { outcomes, ..Plan::default() }, Snapshot::default()));
        }
        (Err(problem), _) => return Err(problem),
    };
    let accepts = matches!(
        task,
        Task::RespondToAll { status: Status::Accepted, .. }
            | Task::RespondToOwners { status: Status::Accepted, .. }
    );
    let is_decidable =
        |image| is_of_owners(&snapshot, image, task) && (!accepts || !is_hidden(&snapshot, image));
    let found = pairs
        .into_iter()
        .filter(|(image, tenant)| was_pending_at(&snapshot, (image, tenant), at) && is_decidable(image));
    let job = job(found.map(|(image, _)| image.clone()).collect());
    let plan = match mode {
        Mode::Execute => snapshot.plan(&job, 0..job.images.len(), rules),
        Mode::FailRemaining => snapshot.plan_failure(&job, 0..job.images.len(), rules),
    };
    Ok((job, plan, snapshot))
}

/// Whether the image is pending for the tenant, and was already pending at the request.
fn was_pending_at(snapshot: &Snapshot, pair: Pair<'_>, at: Stamp) -> bool {
    snapshot.membership(pair).is_some_and(|membership| {
        membership.is_pending() && membership.active().is_some_and(|active| active.since < at)
    })
}

/// Whether the image is one of the owners to whose images the task is limited, if it is.
fn is_of_owners(snapshot: &Snapshot, image: &ImageId, task: &Task) -> bool {
    let Some(owners) = task.owners() else { return true };
    let image = snapshot.image(image).map(|image| image.bypass(Bypass::Worker));
    image.is_some_and(|image| owners.contains(&image.owner))
}

/// Whether the owner has hidden the image, which keeps its memberships (`contract/decisions.md` 25). The inbox does
/// not show a hidden image, and a job takes it out of the list. Until then, a rejection of all pending images
/// includes it.
fn is_hidden(snapshot: &Snapshot, image: &ImageId) -> bool {
    let image = snapshot.image(image).map(|image| image.bypass(Bypass::Worker));
    image.is_some_and(|image| image.visibility != Visibility::Shared)
}

/// The step of a plan, which ends where the transaction is full: its cursor is the position of the last planned image.
fn scan_step<'a>(
    scan: &PendingScan,
    job: &'a Job,
    positions: &[Position],
    is_last: bool,
    (plan, snapshot): (&'a Plan, &'a Snapshot),
) -> ScanStep<'a> {
    let planned_count: usize = plan.outcomes.len();
    let found = job.images.get(..planned_count).unwrap_or_default();
    let is_whole = planned_count == job.images.len();
    let after = if is_whole {
        positions.last()
    } else {
        positions.iter().find(|position| found.last() == Some(&position.image))
    };
    let after = after.cloned().or_else(|| scan.after.clone());
    ScanStep { found, plan, snapshot, after, is_last: is_last && is_whole }
}
