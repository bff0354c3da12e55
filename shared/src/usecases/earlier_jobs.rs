//! Find older work on a pair: a request that was acknowledged and is not carried out yet.
//!
//! Whoever was told that an image is shared can answer at once (`contract/decisions.md` 27). So an answer that finds an
//! open job of the image's owner on its pair waits until that is carried out, and is never told that there is no membership.
//! The open jobs of a tenant are named on its item, which is read consistently.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::App;
use crate::domain::{Caller, JobId};
use crate::store::{Pair, Snapshot, StoreError};

/// How long older work is waited for, at most.
const WAIT_TIMEOUT: Duration = Duration::from_secs(5);

/// The pause before the second look; each is longer by as much, up to [`MAX_BACKOFF`].
const INITIAL_BACKOFF: Duration = Duration::from_millis(20);
const MAX_BACKOFF: Duration = Duration::from_millis(250);

/// Whether an owner's open job, one that was requested before `before`, has something left to do to one of the pairs. The
/// owners of the images must have been read (`read`). Nothing is read where their queues are empty, else one query for each
/// open job.
///
/// # Errors
/// [`StoreError`] where the table failed.
pub(super) async fn has_open_earlier_job(
    app: &App,
    read: &Snapshot,
    pairs: &[Pair<'_>],
    before: Option<JobId>,
) -> Result<bool, StoreError> {
    let owners = read.image_owners();
    let jobs: BTreeSet<JobId> = owners.iter().flat_map(|owner| read.tenant(owner).queue.jobs).collect();
    for id in jobs.into_iter().filter(|id| before.is_none_or(|before| *id < before)) {
        let Some(report) = app.store.report(id).await? else { continue };
        if report.ended_at().is_some() {
            // Its worker was stopped before it could say so.
            app.store.dequeue(&report.job).await?;
        } else if pairs.iter().any(|(image, tenant)| report.is_open_for(image, tenant)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Waits for older work, a little longer each time.
#[derive(Debug)]
pub(super) struct Backoff {
    deadline: Instant,
    delay: Duration,
}

impl Backoff {
    /// Before the first look.
    pub(super) fn new() -> Self {
        Self { deadline: Instant::now() + WAIT_TIMEOUT, delay: INITIAL_BACKOFF }
    }

    /// Waits before the next look. `false` where there was enough of waiting.
    pub(super) async fn wait(&mut self) -> bool {
        if Instant::now() + self.delay > self.deadline {
            return false;
        }
        sleep(self.delay).await;
        self.delay = (self.delay + INITIAL_BACKOFF).min(MAX_BACKOFF);
        true
    }
}

/// Reads the owner of an image that was read, and waits a little where older work on the pair is left. Returns whether there
/// was some, so that the pair has to be read again; `None` where it is still not done after [`WAIT_TIMEOUT`].
///
/// # Errors
/// [`StoreError`] where the table failed.
pub(super) async fn wait_for_earlier_jobs(
    app: &App,
    caller: &Caller,
    read: &mut Snapshot,
    (image, tenant): Pair<'_>,
    backoff: &mut Backoff,
) -> Result<Option<bool>, StoreError> {
    let owner = read.image_owners();
    // A stranger must not learn what is under way between others.
    if !owner.iter().chain([tenant]).any(|party| caller.can_write_for(party)) {
        return Ok(Some(false));
    }
    app.store.read_tenants(read, &owner).await?;
    if !has_open_earlier_job(app, read, &[(image, tenant)], None).await? {
        return Ok(Some(false));
    }
    Ok(backoff.wait().await.then_some(true))
}
