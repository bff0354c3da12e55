//! The list of a project's jobs. A job has an entry in the partition of its creator, and no key in an index: a request
//! does not pay for the list. The entry is written from the table's stream, once the job is stored.

use std::collections::HashMap;

use futures_util::{StreamExt, TryStreamExt, future, stream};

use super::client::Store;
use super::error::{StoreError, WriteError};
use super::item;
use super::items::job::parse_key;
use super::items::job_entry::{parse, put_job_entry};
use super::keys;
use crate::domain::{Job, JobEntry, JobId, JobReport, TenantId, Unauthorized};
use crate::table::{Projection, Query};

/// The most divided jobs of a page that are read at the same time.
const MAX_CONCURRENT_REPORTS: usize = 16;

impl Store {
    /// Puts the entry of a job into the list of its project; nothing for a job that nobody has requested. To put it again
    /// changes nothing. One write of 1 unit.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub(crate) async fn put_job_entry(&self, job: &Job) -> Result<(), StoreError> {
        let Some(put) = put_job_entry(job) else { return Ok(()) };
        match self.update(&put).await {
            Ok(_) | Err(WriteError::ConditionFailed(_)) => Ok(()),
            Err(WriteError::Store(error)) => Err(error),
        }
    }

    /// Returns the entries of a project's jobs before `before`, the newest first, at most `limit`; and whether there are
    /// more. One query, eventually consistent, of half a unit for 40.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub(crate) async fn job_entries(
        &self,
        project: &TenantId,
        before: Option<JobId>,
        limit: usize,
    ) -> Result<(Vec<JobEntry>, bool), StoreError> {
        let query =
            Query::new("pk = :project").value(":project", item::text(keys::job_entries_partition(project)));
        let start = before.map(|job| keys::job_entry(project, job));
        // One more than the limit, to know whether there are more.
        let query = Query { descending: true, limit: Some(limit + 1), start, ..query };
        let page = self.query(&query).await?;
        let now = self.clock.now();
        let entries = page.items.iter().map(|found| parse(found, now)).collect::<Result<Vec<_>, _>>()?;
        // Jobs expire in the order of their ids, so behind an expired one there are no others.
        let mut entries: Vec<_> = entries.into_iter().map_while(|entry| entry).collect();
        let more = entries.len() > limit;
        entries.truncate(limit);
        Ok((entries, more))
    }

    /// Reads jobs with their work items, and leaves out those that have expired, or that cannot be read, which are
    /// logged. One batch read for every 100 jobs that are not divided, and one query for each that is, some at a time;
    /// eventually consistent.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub(crate) async fn reports(
        &self,
        entries: &[&JobEntry],
    ) -> Result<HashMap<JobId, Unauthorized<JobReport>>, StoreError> {
        let (divided, single): (Vec<&JobEntry>, Vec<&JobEntry>) =
            entries.iter().copied().partition(|entry| entry.is_divided);
        let queries = divided.into_iter().map(|entry| self.readable_report(entry.job));
        let queries = stream::iter(queries.collect::<Vec<_>>()).buffer_unordered(MAX_CONCURRENT_REPORTS);
        let single = single.into_iter().map(|entry| keys::job(entry.job)).collect();
        let (divided, single) =
            future::try_join(queries.try_collect::<Vec<_>>(), self.read_eventually(single, Projection::All))
                .await?;
        let mut reports: HashMap<_, _> = divided.into_iter().flatten().collect();
        for found in &single {
            let report = self.parse_report(std::slice::from_ref(found));
            let id = parse_key(found)?.job;
            reports.extend(skip_unreadable(id, report)?.map(|report| (id, Unauthorized::new(report))));
        }
        Ok(reports)
    }

    async fn readable_report(
        &self,
        id: JobId,
    ) -> Result<Option<(JobId, Unauthorized<JobReport>)>, StoreError> {
        let report = self.job_items(id, false).await.and_then(|items| self.parse_report(&items));
        Ok(skip_unreadable(id, report)?.map(|report| (id, Unauthorized::new(report))))
    }
}

/// Leaves out a job that cannot be read, so that it does not keep the others from being listed.
fn skip_unreadable(
    job: JobId,
    report: Result<Option<JobReport>, StoreError>,
) -> Result<Option<JobReport>, StoreError> {
    match report {
        Err(StoreError::Unreadable(attribute)) => {
            tracing::error!(%job, attribute, "a job cannot be read, and is not listed");
            Ok(None)
        }
        report => report,
    }
}
