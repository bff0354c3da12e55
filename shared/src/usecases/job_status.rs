//! Show the status of a job, at once or when it has ended.

use std::time::Duration;

use tokio::time::Instant;

use super::UseCaseError;
use crate::App;
use crate::app::Pause;
use crate::domain::{Caller, Denied, JobId, JobReport};

/// How often a waiting request reads the job.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Returns a job that the caller's project created: its request, its progress, and the outcome of each pair. Costs
/// one query.
///
/// # Errors
/// [`Denied::JobNotFound`] for an unknown job and for one of another project alike (`contract/decisions.md` 16).
pub async fn job_status(app: &App, caller: &Caller, id: JobId) -> Result<JobReport, UseCaseError> {
    let report = app.store.report(id).await?.ok_or(Denied::JobNotFound)?;
    Ok(report.authorize_view(caller)?)
}

/// Returns a job as [`job_status`] does, once it has ended. It returns a job that has not ended after `timeout`, when the
/// server stops, and at once where no request may wait or too many do. Costs what [`job_status`] does, four times a
/// second.
///
/// # Errors
/// Those of [`job_status`].
pub async fn wait_for_job(
    app: &App,
    caller: &Caller,
    id: JobId,
    timeout: Duration,
) -> Result<JobReport, UseCaseError> {
    let deadline = Instant::now() + timeout;
    let mut report = job_status(app, caller, id).await?;
    let reads = app.settings.waiting_reads.as_ref().filter(|_| report.ended_at().is_none());
    let Some(Ok(mut waiting)) = reads.map(|reads| reads.begin(&caller.tenant)) else { return Ok(report) };
    while report.ended_at().is_none() && Instant::now() < deadline {
        if waiting.pause_until(deadline.min(Instant::now() + POLL_INTERVAL)).await == Pause::Stopping {
            break;
        }
        report = job_status(app, caller, id).await?;
    }
    Ok(report)
}
