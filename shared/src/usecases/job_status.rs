//! Ask a job.

use super::UseCaseError;
use crate::App;
use crate::domain::{Caller, JobId, JobReport, authorize_job_view};

/// Reads a job that the caller's project made: what was asked, how far it has come, what became of each pair. One query.
///
/// # Errors
/// [`UseCaseError::JobNotFound`] for an unknown job and for another project's alike (`contract/decisions.md` 16).
pub async fn job_status(app: &App, caller: &Caller, id: JobId) -> Result<JobReport, UseCaseError> {
    let report = app.store.report(id).await?.ok_or(UseCaseError::JobNotFound)?;
    authorize_job_view(caller, &report.job)?;
    Ok(report)
}
