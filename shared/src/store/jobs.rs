//! Jobs. Most are executed when they are accepted, in one transaction. The others are queued, and executed in steps of
//! one transaction each. A report is one query.
//!
//! A job of one work item keeps it in its own item, so that a worker reads and writes a single item. The work items of
//! a large job are items of their own, so that a step writes neither the job's long lists nor what another worker
//! writes.

use super::client::Store;
use super::commit::plan_writes;
use super::error::{StoreError, WriteError};
use super::item::{self, Item};
use super::items::idempotency::{IdempotencyRequest, SubmitOutcome, record_job, replay_outcome};
use super::items::job::{
    CLOSED, closed_work_item, find_work_item, finished_job_write, is_held, move_cursor, next_in_lane,
    parse_job, parse_key,
};
use super::items::tenant::advance_clock;
use super::keys::{self, JOB_SORT_KEY, LISTS_INDEX, PK, SINGLE, SK, TTL, WorkItemKey};
use super::snapshot::Snapshot;
use super::table_calls::{Commit, is_condition_failure};
use crate::domain::{Job, JobId, JobReport, Plan, TenantId, Timestamp, Unauthorized, WorkItem};
use crate::table::{Query, TransactionToken, Write};

/// DynamoDB's limit of writes in one transaction.
const MAX_TRANSACTION_WRITES: usize = 100;

/// An unfinished work item, with its job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenWorkItem {
    /// The job.
    pub job: Job,
    /// The work item.
    pub work_item: WorkItem,
}

impl Store {
    /// Commits a job as finished, with the plan of all its pairs and the request's idempotency key, and raises the
    /// clock of `clock_tenant` to the job's stamp. Returns the earlier outcome if the key was used before; `None` if a
    /// guard of the plan no longer holds or the transaction would be too large. Only an accepted job is written. One
    /// transaction, and before it what new senders take; where transactions cost more and there is no key, one put
    /// more, after the transaction.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails; [`StoreError::InDoubt`] if the pairs are changed and the job is not written.
    pub(crate) async fn commit_job(
        &self,
        job: &Job,
        plan: &Plan,
        snapshot: &Snapshot,
        (idempotency, clock_tenant): (Option<&IdempotencyRequest>, Option<&TenantId>),
    ) -> Result<Option<SubmitOutcome>, StoreError> {
        self.record_senders(plan, snapshot).await?;
        let now = self.clock.now();
        let finished = finished_job_write(job, plan, now)?;
        let mut changes = plan_writes(plan, snapshot, now)?;
        changes.extend(clock_tenant.map(|tenant| advance_clock(tenant, job.id.0)));
        let outcome = match idempotency {
            None if self.table.charges_for_transactions() => {
                self.commit_before_job(&changes, &finished).await?
            }
            _ => self.commit_with_job(job, changes, finished, idempotency).await?,
        };
        if outcome == Some(SubmitOutcome::Accepted) {
            self.inbox_cache.apply_plan(plan);
        }
        Ok(outcome)
    }

    /// Commits changes, their finished job and the request's idempotency key, all or none, in one transaction.
    async fn commit_with_job(
        &self,
        job: &Job,
        changes: Vec<Write>,
        finished: Write,
        idempotency: Option<&IdempotencyRequest>,
    ) -> Result<Option<SubmitOutcome>, StoreError> {
        let mut writes: Vec<_> = idempotency.map(|request| record_job(request, job)).into_iter().collect();
        writes.push(finished);
        writes.extend(changes);
        if writes.len() > MAX_TRANSACTION_WRITES {
            return Ok(None);
        }
        let reasons = match self.transact(&writes).await {
            Ok(()) => return Ok(Some(SubmitOutcome::Accepted)),
            Err(WriteError::Store(error)) => return Err(error),
            Err(WriteError::ConditionFailed(reasons)) => reasons,
        };
        let stored = reasons.into_iter().next().filter(is_condition_failure).and_then(|reason| reason.found);
        match (stored, idempotency) {
            (Some(stored), Some(idempotency)) => replay_outcome(&stored, idempotency).map(Some),
            _ => Ok(None),
        }
    }

    /// Commits changes, and then puts their finished job. A process that dies between the two leaves changes without a
    /// job, whose id no client has. A request with an idempotency key cannot do so, since its replay returns the job.
    async fn commit_before_job(
        &self,
        changes: &[Write],
        finished: &Write,
    ) -> Result<Option<SubmitOutcome>, StoreError> {
        if changes.len() > MAX_TRANSACTION_WRITES {
            return Ok(None);
        }
        if !changes.is_empty() && self.commit(changes).await? == Commit::Conflict {
            return Ok(None);
        }
        match self.update(finished).await {
            // If its condition fails, the response to the first attempt was lost: no other job has this id.
            Ok(_) | Err(WriteError::ConditionFailed(_)) => Ok(Some(SubmitOutcome::Accepted)),
            Err(WriteError::Store(error)) => Err(error),
        }
    }

    /// Reads a job and its work items; `None` if the job does not exist or has expired. A work item that was closed as
    /// unreadable has failed. One query, or one for each megabyte.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn report(&self, id: JobId) -> Result<Option<Unauthorized<JobReport>>, StoreError> {
        let report = self.parse_report(&self.job_items(id, true).await?)?;
        Ok(report.map(Unauthorized::new))
    }

    /// Reads the items of a job, its own first. One query, or one for each megabyte.
    pub(super) async fn job_items(&self, id: JobId, consistent: bool) -> Result<Vec<Item>, StoreError> {
        let query = Query::new("pk = :job").value(":job", item::text(keys::job_partition(id)));
        let mut query = Query { consistent, ..query };
        let mut items = Vec::new();
        loop {
            let page = self.query(&query).await?;
            items.extend(page.items);
            query.start = page.next;
            if query.start.is_none() {
                return Ok(items);
            }
        }
    }

    /// Parses the items of a job, its own first; `None` if the job does not exist or has expired.
    pub(super) fn parse_report(&self, items: &[Item]) -> Result<Option<JobReport>, StoreError> {
        let (mut job, mut work_items) = (None, Vec::new());
        let now = self.clock.now().unix_seconds();
        for item in items {
            let key = parse_key(item)?;
            let is_live = item::get_number::<i64>(item, TTL)? > now;
            // The job's own item has the lowest sort key, so it comes first.
            job = job.or(parse_job(key, item)?.filter(|_| is_live));
            match &job {
                Some(job) if item.contains_key(CLOSED) => work_items.push(closed_work_item(job, key, item)?),
                _ => work_items.extend(find_work_item(key, item)?),
            }
        }
        Ok(job.map(|job| JobReport { job, work_items }))
    }

    /// Returns the open work items of one shard of the index, the oldest requests first, at most `limit`; with
    /// `before`, only those requested before then. One query.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn open_work_items(
        &self,
        shard: u8,
        before: Option<Timestamp>,
        limit: usize,
    ) -> Result<Vec<WorkItemKey>, StoreError> {
        let query = match before {
            None => Query::new("gpk = :shard"),
            Some(before) => Query::new("gpk = :shard AND gsk < :before")
                .value(":before", item::text(keys::open_upper_bound(before))),
        };
        let query = query.value(":shard", item::text(keys::open_partition(shard)));
        let page = self.query(&Query { index: Some(LISTS_INDEX), limit: Some(limit), ..query }).await?;
        let key = |item| WorkItemKey::parse(item::get_text(item, PK).ok()?, item::get_text(item, SK).ok()?);
        Ok(page.items.iter().filter_map(key).collect())
    }

    /// Returns the held jobs of one shard that were requested before `before`, the oldest first, at most `limit`. One
    /// query, and one read for each.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub(crate) async fn held_jobs(
        &self,
        shard: u8,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<Job>, StoreError> {
        let query = Query::new("gpk = :shard AND gsk < :before")
            .value(":before", item::text(keys::open_upper_bound(before)))
            .value(":shard", item::text(keys::held_partition(shard)));
        let page = self.query(&Query { index: Some(LISTS_INDEX), limit: Some(limit), ..query }).await?;
        let ids = page
            .items
            .iter()
            .filter_map(|found| WorkItemKey::parse(item::get_text(found, PK).ok()?, JOB_SORT_KEY));
        let mut held = Vec::new();
        for id in ids.map(|key| key.job) {
            held.extend(self.held_job(id).await?);
        }
        Ok(held)
    }

    /// Reads a held job; `None` if it does not exist or is not held. One read.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub(super) async fn held_job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        let item = self.read_one(keys::job(id)).await?;
        item.filter(is_held).as_ref().map(|item| item::get_json(item, "job")).transpose()
    }

    /// Reads a work item and its job; `None` if it is finished or does not exist. One read, or one batch read of two
    /// items.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn open_work_item(&self, key: WorkItemKey) -> Result<Option<OpenWorkItem>, StoreError> {
        let keys = match key.number {
            SINGLE => vec![keys::job(key.job)],
            _ => vec![keys::job(key.job), key.primary_key()],
        };
        let (mut job, mut work_item) = (None, None);
        for item in self.read(keys).await? {
            let key = parse_key(&item)?;
            job = job.or(parse_job(key, &item)?);
            work_item = work_item.or(find_work_item(key, &item)?);
        }
        let open = job.zip(work_item).filter(|(_, work_item)| work_item.finished_at.is_none());
        Ok(open.map(|(job, work_item)| OpenWorkItem { job, work_item }))
    }

    /// Commits one step of a work item: the plan of its next pairs, and the cursor past them. Returns a conflict, and
    /// writes nothing, if a guard no longer holds or the cursor has moved. The last step also creates the next work
    /// item of the lane. On success, `open` is updated to what the table holds. One transaction, and before it what
    /// new senders take.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub(crate) async fn commit_step(
        &self,
        open: &mut OpenWorkItem,
        plan: &Plan,
        snapshot: &Snapshot,
    ) -> Result<Commit, StoreError> {
        self.record_senders(plan, snapshot).await?;
        let now = self.clock.now();
        let mut writes = plan_writes(plan, snapshot, now)?;
        let mut next = open.work_item.clone();
        next.add_results(&plan.outcomes, &plan.transitions);
        next.finished_at = next.remaining_pairs().is_empty().then_some(now);
        writes.push(move_cursor(open.job.id, &open.work_item, &next));
        if next.finished_at.is_some() {
            writes.extend(next_in_lane(&open.job, next.number));
        }
        match self.transact(&writes).await {
            Ok(()) => {
                self.inbox_cache.apply_plan(plan);
                open.work_item = next;
                Ok(Commit::Committed)
            }
            Err(WriteError::ConditionFailed(_)) => Ok(Commit::Conflict),
            Err(WriteError::Store(error)) => Err(error),
        }
    }

    /// Increments a work item's attempts, and returns their number; 0 if it is not open, or if the response to the
    /// increment was lost. One write. Its retries count once: a table that fails for a minute must not turn one
    /// attempt into ten.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn count_attempt(&self, key: WorkItemKey) -> Result<u32, StoreError> {
        let count = Write::update(key.primary_key(), "SET counted = :this ADD attempts :one")
            .only_if("attribute_exists(gpk) AND (attribute_not_exists(counted) OR counted <> :this)")
            .value(":this", item::text(TransactionToken::random()))
            .value(":one", item::number(1));
        match self.update(&count).await {
            Ok(updated) => item::get_number(&updated, "attempts"),
            Err(WriteError::ConditionFailed(_)) => Ok(0),
            Err(WriteError::Store(error)) => Err(error),
        }
    }

    /// Creates the next work item in the lane of a closed one, and returns the job; `None` if the job is unreadable
    /// too. One read, and one write if there is a next work item.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub(crate) async fn continue_lane(&self, closed: WorkItemKey) -> Result<Option<Job>, StoreError> {
        let Some(item) = self.read_one(keys::job(closed.job)).await? else { return Ok(None) };
        let Ok(job) = item::get_json::<Job>(&item, "job") else { return Ok(None) };
        if let Some(next) = next_in_lane(&job, closed.number) {
            self.commit(&[next]).await?;
        }
        Ok(Some(job))
    }

    /// Takes an unreadable work item out of the index of open work; `false` if it is not in the index. Its attributes
    /// are kept for an operator to inspect. One write.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub(crate) async fn close_unreadable(&self, key: WorkItemKey) -> Result<bool, StoreError> {
        let close = Write::update(key.primary_key(), "SET #closed = :now REMOVE gpk, gsk")
            .name("#closed", CLOSED)
            .only_if("attribute_exists(gpk)")
            .value(":now", item::number(self.clock.now().unix_millis()));
        match self.update(&close).await {
            Ok(_) => Ok(true),
            Err(WriteError::ConditionFailed(_)) => Ok(false),
            Err(WriteError::Store(error)) => Err(error),
        }
    }
}
