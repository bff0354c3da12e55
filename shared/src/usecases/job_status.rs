//! Show the status of a job.

use super::UseCaseError;
use crate::App;
use crate::domain::{Caller, Denied, JobId, JobReport};

/// Returns a job that the caller's project created: its request, its progress, and the outcome of each pair. Costs
/// one query.
///
/// # Errors
/// [`Denied::JobNotFound`] for an unknown job and for one of another project alike (`contract/decisions.md` 16).
pub async fn job_status(app: &App, caller: &Caller, id: JobId) -> Result<JobReport, UseCaseError> {
    let report = app.store.report(id).await?.ok_or(Denied::JobNotFound)?;
    Ok(report.authorize_view(caller)?)
}
