//! Find earlier jobs on a pair: requests that were acknowledged and are not executed yet.
//!
//! A recipient can decide as soon as a share is acknowledged (`contract/decisions.md` 27). So a decision on a pair
//! waits for an open job of the image's owner on that pair, and does not fail for a membership that is still to be
//! written. The item of a tenant names its open jobs, and is read consistently.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::App;
use crate::domain::{Bypass, Caller, JobId, authorize_write_for};
use crate::store::{Pair, Snapshot, StoreError};

/// The most time to wait for earlier jobs.
const WAIT_TIMEOUT: Duration = Duration::from_secs(5);

/// The first pause. Each later one is longer by as much, up to [`MAX_BACKOFF`].
const INITIAL_BACKOFF: Duration = Duration::from_millis(20);
const MAX_BACKOFF: Duration = Duration::from_millis(250);

/// Whether an image's owner has an open job on one of the pairs, requested earlier than `before` if that is given.
/// The snapshot has to contain the owners of the images. Costs one query for each of their open jobs.
///
/// # Errors
/// [`StoreError`] if the table failed.
pub(super) async fn has_open_earlier_job(
    app: &App,
    snapshot: &Snapshot,
    pairs: &[Pair<'_>],
    before: Option<JobId>,
) -> Result<bool, StoreError> {
    let owners = snapshot.image_owners();
    let jobs: BTreeSet<JobId> = owners.iter().flat_map(|owner| snapshot.tenant(owner).queue.jobs).collect();
    for id in jobs.into_iter().filter(|id| before.is_none_or(|before| *id < before)) {
        let Some(report) = app.store.report(id).await? else { continue };
        let report = report.bypass(Bypass::Worker);
        if report.ended_at().is_some() {
            // Its worker stopped before it took the job out of the queue.
            app.store.dequeue(&report.job).await?;
        } else if pairs.iter().any(|(image, tenant)| report.is_open_for(image, tenant)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The pauses while earlier jobs are open, each longer than the one before.
#[derive(Debug)]
pub(super) struct Backoff {
    deadline: Instant,
    delay: Duration,
}

impl Backoff {
    /// Starts the timeout of [`WAIT_TIMEOUT`].
    pub(super) fn new() -> Self {
        Self { deadline: Instant::now() + WAIT_TIMEOUT, delay: INITIAL_BACKOFF }
    }

    /// Waits for the next pause. Returns `false` without waiting if that would exceed the timeout.
    pub(super) async fn wait(&mut self) -> bool {
        if Instant::now() + self.delay > self.deadline {
            return false;
        }
        sleep(self.delay).await;
        self.delay = (self.delay + INITIAL_BACKOFF).min(MAX_BACKOFF);
        true
    }
}

/// Waits for one pause if an earlier job on the pair is open, after reading the image's owner into the snapshot.
/// Returns whether it has waited, so that the pair has to be read again; `None` if the job is still open after
/// [`WAIT_TIMEOUT`]. Costs one read, and one query for each open job of the owner.
///
/// # Errors
/// [`StoreError`] if the table failed.
pub(super) async fn wait_for_earlier_jobs(
    app: &App,
    caller: &Caller,
    snapshot: &mut Snapshot,
    (image, tenant): Pair<'_>,
    backoff: &mut Backoff,
) -> Result<Option<bool>, StoreError> {
    let owner = snapshot.image_owners();
    // Other tenants must not learn which jobs are open between the owner and the recipient.
    if !owner.iter().chain([tenant]).any(|party| authorize_write_for(caller, party).is_ok()) {
        return Ok(Some(false));
    }
    app.store.read_tenants(snapshot, &owner).await?;
    if !has_open_earlier_job(app, snapshot, &[(image, tenant)], None).await? {
        return Ok(Some(false));
    }
    Ok(backoff.wait().await.then_some(true))
}
