//! List the jobs of a project.

use super::{Page, UseCaseError};
use crate::App;
use crate::domain::{Caller, JobEntry, JobId, JobKind, JobReport, JobStatus, TenantId, authorize_job_path};

/// The entries that are read at once for a list with a filter.
const ENTRIES_PER_STEP: usize = 100;

/// The entries after which a list with a filter reads no further ones.
const MAX_EXAMINED: usize = 1_000;

/// Which jobs a list has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobQuery {
    /// The project that requested them.
    pub project: TenantId,
    /// Only those of this kind.
    pub kind: Option<JobKind>,
    /// Only those with this status.
    pub status: Option<JobStatus>,
}

impl JobQuery {
    /// All jobs of a project.
    pub fn all(project: TenantId) -> Self {
        Self { project, kind: None, status: None }
    }

    fn has_filter(&self) -> bool {
        self.kind.is_some() || self.status.is_some()
    }

    fn selects(&self, report: &JobReport) -> bool {
        self.status.is_none_or(|status| report.status() == status)
    }
}

/// Lists the jobs that a project has requested in the last 30 days, the newest first: at most `limit`, before `before`.
/// A job is listed once its entry is written from the table's stream, some moments after the request; it is found by its
/// id at once. With a filter, a page may be shorter than its limit, or empty, and have more after it.
///
/// Costs one query and one batch read of half a unit a job, and one query more for each job of more than 200 pairs, or
/// that decides on everything pending. With a filter, that for every 100 entries until the page is full, and at most
/// ten times; a filter by kind reads only the jobs of that kind.
///
/// # Errors
/// [`Denied::JobNotFound`](crate::domain::Denied::JobNotFound) for another project, unless the caller is an admin;
/// [`UseCaseError::Store`].
pub async fn list_jobs(
    app: &App,
    caller: &Caller,
    query: &JobQuery,
    mut before: Option<JobId>,
    limit: usize,
) -> Result<Page<JobReport, JobId>, UseCaseError> {
    authorize_job_path(caller, query.project.as_str())?;
    let step = if query.has_filter() { ENTRIES_PER_STEP } else { limit };
    let (mut jobs, mut examined) = (Vec::new(), 0);
    loop {
        let (entries, more) = app.store.job_entries(&query.project, before, step).await?;
        let mut found = read_jobs(app, caller, query, &entries).await?.into_iter();
        jobs.extend(found.by_ref().take(limit - jobs.len()));
        if found.next().is_some() {
            return Ok(Page::new(jobs, true, |last: &JobReport| last.job.id));
        }
        examined += entries.len();
        before = entries.last().map(|last| last.job).filter(|_| more);
        if before.is_none() || jobs.len() == limit || examined >= MAX_EXAMINED {
            return Ok(Page { items: jobs, next: before });
        }
    }
}

/// Reads the jobs of some entries that a query selects, in the order of the entries.
async fn read_jobs(
    app: &App,
    caller: &Caller,
    query: &JobQuery,
    entries: &[JobEntry],
) -> Result<Vec<JobReport>, UseCaseError> {
    let is_of_kind = |entry: &&JobEntry| query.kind.is_none_or(|kind| entry.kind == kind);
    let entries: Vec<_> = entries.iter().filter(is_of_kind).collect();
    let mut reports = app.store.reports(&entries).await?;
    let jobs = entries.iter().filter_map(|entry| reports.remove(&entry.job)?.authorize_view(caller).ok());
    Ok(jobs.filter(|job| query.selects(job)).collect())
}
