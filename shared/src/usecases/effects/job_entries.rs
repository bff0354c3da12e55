//! The entries of accepted jobs in the list of their project.

use futures_util::future::try_join_all;

use crate::App;
use crate::store::{ItemChange, StoreError};

/// Lists the jobs that were accepted, for the projects that requested them. To do so again changes nothing. One write of 1
/// unit for each job, all at the same time; nothing for a job that nobody has requested, and for any other change.
///
/// # Errors
/// [`StoreError`] if the table failed.
pub async fn list_accepted_jobs(app: &App, changes: &[ItemChange]) -> Result<(), StoreError> {
    let accepted = changes.iter().filter_map(|change| match change {
        ItemChange::JobAccepted(report) => Some(&report.job),
        _ => None,
    });
    try_join_all(accepted.map(|job| app.store.put_job_entry(job))).await.map(drop)
}
