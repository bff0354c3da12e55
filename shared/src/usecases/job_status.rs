//! Ask a job.

use super::Refusal;
use crate::Service;
use crate::domain::{Caller, JobId, Report};

/// Reads a job that the caller's project made: what was asked, how far it has come, what became of each pair. One query.
///
/// # Errors
/// [`Refusal::JobNotFound`] for an unknown job and for another project's alike (`contract/decisions.md` 16).
pub async fn job_status(service: &Service, caller: &Caller, id: JobId) -> Result<Report, Refusal> {
    let report = service.store.report(id).await?;
    report.filter(|report| caller.reads_for(&report.job.creator)).ok_or(Refusal::JobNotFound)
}
