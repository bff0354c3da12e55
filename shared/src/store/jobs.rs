//! Jobs: most are carried out in the transaction that accepts them; the others are queued, carried out in steps of one
//! transaction each, and read in one query.
//!
//! A job of one piece has it in its own item, so that its worker reads and writes one item. The pieces of a larger job have
//! items of their own, so that a step of one writes neither the job's long lists nor what another worker writes.

use std::ops::Range;
use std::time::Duration;

use super::commit::plan_writes;
use super::idempotency::{IdempotencyRequest, SubmitOutcome, record_job, replay_outcome};
use super::item::{self, AttributeValue, Item};
use super::keys::{self, GPK, GSK, JOB_SORT_KEY, LISTS_INDEX, PK, SINGLE, SK, TTL, WorkItemKey};
use super::queues::advance_clock;
use super::snapshot::Snapshot;
use super::table_calls::{WriteError, is_condition_failure};
use super::{Commit, Store, StoreError};
use crate::domain::{Job, JobId, JobReport, Outcome, Plan, Task, TenantId, Timestamp, WorkItem};
use crate::table::{Query, TransactionToken, Write};

/// How long a job can be read (`contract/decisions.md` 16).
pub(super) const JOB_RETENTION: Duration = Duration::from_hours(30 * 24);

/// The attribute of a piece that was closed because it cannot be read: when.
const CLOSED: &str = "closed";
/// The most writes of a transaction.
const MAX_TRANSACTION_WRITES: usize = 100;

/// A piece that is to be carried out, with its job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenWorkItem {
    /// The job.
    pub job: Job,
    /// The piece.
    pub work_item: WorkItem,
}

impl Store {
    /// Writes a job together with what was decided of all its pairs, and the remembered request: one transaction, in which
    /// everything that it was decided from must still be so. `None` where it is not, or where it is too large. The job's stamp
    /// is left on the item of `raises`, if that is named.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub(crate) async fn commit_job(
        &self,
        job: &Job,
        plan: &Plan,
        snapshot: &Snapshot,
        (idempotency, clock_tenant): (Option<&IdempotencyRequest>, Option<&TenantId>),
    ) -> Result<Option<SubmitOutcome>, StoreError> {
        self.record_senders(plan, snapshot).await?;
        let now = self.clock.now();
        let mut writes: Vec<_> = idempotency.map(|request| record_job(request, job)).into_iter().collect();
        writes.push(finished_job_write(job, plan, now)?);
        writes.extend(plan_writes(plan, snapshot, now)?);
        writes.extend(clock_tenant.map(|tenant| advance_clock(tenant, job.id.0)));
        if writes.len() > MAX_TRANSACTION_WRITES {
            return Ok(None);
        }
        let reasons = match self.transact(&writes).await {
            Ok(()) => {
                self.inbox_cache.apply_plan(plan);
                return Ok(Some(SubmitOutcome::Accepted));
            }
            Err(WriteError::Store(error)) => return Err(error),
            Err(WriteError::ConditionFailed(reasons)) => reasons,
        };
        let before = reasons.into_iter().next().filter(is_condition_failure).and_then(|reason| reason.found);
        match (before, idempotency) {
            (Some(before), Some(idempotency)) => replay_outcome(&before, idempotency).map(Some),
            _ => Ok(None),
        }
    }

    /// Reads a job and its pieces, in one query; `None` if the job does not exist or has expired. A piece that was closed
    /// because it cannot be read has ended as failed.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn report(&self, id: JobId) -> Result<Option<JobReport>, StoreError> {
        let query = Query::new("pk = :job").value(":job", item::text(keys::job_partition(id)));
        let mut query = Query { consistent: true, ..query };
        let mut items = Vec::new();
        loop {
            let page = self.query(&query).await?;
            items.extend(page.items);
            query.start = page.next;
            if query.start.is_none() {
                break;
            }
        }
        let (mut job, mut work_items) = (None, Vec::new());
        let now = self.clock.now().unix_seconds();
        for item in &items {
            let key = parse_key(item)?;
            let is_kept = item::get_number::<i64>(item, TTL)? > now;
            // The job's own item comes first.
            job = job.or(parse_job(key, item)?.filter(|_| is_kept));
            match &job {
                Some(job) if item.contains_key(CLOSED) => work_items.push(closed_work_item(job, key, item)?),
                _ => work_items.extend(find_work_item(key, item)?),
            }
        }
        Ok(job.map(|job| JobReport { job, work_items }))
    }

    /// The open pieces of one shard of the index, the oldest requests first, at most `most`; with `before`, only those
    /// requested before that moment.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn open_work_items(
        &self,
        shard: u8,
        before: Option<Timestamp>,
        limit: usize,
    ) -> Result<Vec<WorkItemKey>, StoreError> {
        let query = match before {
            None => Query::new("gpk = :shard"),
            Some(moment) => Query::new("gpk = :shard AND gsk < :before")
                .value(":before", item::text(keys::open_upper_bound(moment))),
        };
        let query = query.value(":shard", item::text(keys::open_partition(shard)));
        let page = self.query(&Query { index: Some(LISTS_INDEX), limit: Some(limit), ..query }).await?;
        let key = |item| WorkItemKey::parse(item::get_text(item, PK).ok()?, item::get_text(item, SK).ok()?);
        Ok(page.items.iter().filter_map(key).collect())
    }

    /// The large jobs of one shard that wait for an earlier one of their tenant and were requested before that moment, at
    /// most `most`.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
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

    /// Reads a large job that waits for an earlier one; `None` if it does not exist or does not wait. One read.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub(super) async fn held_job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        let item = self.read_one(keys::job(id)).await?;
        item.filter(is_held).as_ref().map(|item| item::get_json(item, "job")).transpose()
    }

    /// Reads a piece and its job, in one round trip; `None` where the piece is finished or gone.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
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
        let open = job.zip(work_item).filter(|(_, piece)| piece.finished_at.is_none());
        Ok(open.map(|(job, piece)| OpenWorkItem { job, work_item: piece }))
    }

    /// Makes one step of a piece: writes what was decided of its next pairs and moves its cursor past them, all in one
    /// transaction, provided that everything that it was decided from is still so and that the cursor is where it was. The
    /// last step makes the next piece of the lane.
    ///
    /// On success `open` is as the table has it then.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
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
        next.outcomes.extend(&plan.outcomes);
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

    /// Counts one more sweep that has found a piece open, and tells how many there were; 0 where its count was made, and the
    /// answer lost. Each call counts once, however often it has to be asked for: a table that is ill for a minute must
    /// not make up ten sweeps of one.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
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

    /// Makes the next work item of the lane of a piece that was closed, and returns the job; `None` where that cannot be read
    /// either. One read, and one write where there is a next one.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub(crate) async fn continue_lane(&self, closed: WorkItemKey) -> Result<Option<Job>, StoreError> {
        let Some(item) = self.read_one(keys::job(closed.job)).await? else { return Ok(None) };
        let Ok(job) = item::get_json::<Job>(&item, "job") else { return Ok(None) };
        if let Some(next) = next_in_lane(&job, closed.number) {
            self.commit(&[next]).await?;
        }
        Ok(Some(job))
    }

    /// Takes a piece that cannot be read out of the index of open pieces; `false` where it is not in it. Its attributes are
    /// kept for an operator. One write.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
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

/// Which work items of a job are made with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JobStart {
    /// The first of each lane.
    Immediate,
    /// None: an earlier job of its line is active.
    Held,
    /// The first of each lane, of a job that was held so far.
    Unblocked,
}

/// The writes that make a job and its first work items. The job itself comes first.
pub(super) fn job_writes(job: &Job, start: JobStart) -> Result<Vec<Write>, StoreError> {
    let expiry = job_expiry(job);
    let mut header = vec![("job", item::json(job)?), (TTL, expiry)];
    let alone = WorkItemKey { job: job.id, number: SINGLE };
    let mut writes = Vec::new();
    if job.is_large() {
        if start == JobStart::Held {
            header.extend([
                (GPK, item::text(keys::held_partition(alone.shard()))),
                (GSK, item::text(alone.open_sort_key())),
            ]);
        } else {
            let first = (SINGLE + 1..).zip(job.work_items()).take(job.max_parallel_work_items());
            writes.extend(first.map(|(number, pairs)| work_item_write(job, number, &pairs)));
        }
    } else {
        // What an answer to everything finds is written as it is found.
        let pairs = job.work_items().into_iter().next().unwrap_or(0..0);
        header.extend(open_work_item_attributes(alone, &pairs));
    }
    let header = match start {
        JobStart::Immediate | JobStart::Held => {
            Write::put(item::item(keys::job(job.id), header)).only_if("attribute_not_exists(pk)")
        }
        JobStart::Unblocked => {
            Write::update(keys::job(job.id), "REMOVE gpk, gsk").only_if("attribute_exists(gpk)")
        }
    };
    writes.insert(0, header);
    Ok(writes)
}

/// The write that makes the next work item of a lane, whose last one is finished; `None` where that was the last.
fn next_in_lane(job: &Job, finished: u16) -> Option<Write> {
    let index = usize::from(finished).checked_sub(1)? + job.max_parallel_work_items();
    let pairs = job.work_items().into_iter().nth(index)?;
    let number = u16::try_from(index + 1).ok()?;
    Some(work_item_write(job, number, &pairs).only_if("attribute_not_exists(pk)"))
}

fn work_item_write(job: &Job, number: u16, pairs: &Range<usize>) -> Write {
    let key = WorkItemKey { job: job.id, number };
    Write::put(item::item(
        key.primary_key(),
        open_work_item_attributes(key, pairs).into_iter().chain([(TTL, job_expiry(job))]),
    ))
}

/// The write that makes a job of which everything is done.
fn finished_job_write(job: &Job, decision: &Plan, now: Timestamp) -> Result<Write, StoreError> {
    let pairs = job.pair_count();
    let attributes = [
        ("job", item::json(job)?),
        (TTL, job_expiry(job)),
        ("first", item::number(0)),
        ("pairs", item::number(pairs as i128)),
        ("done", item::number(pairs as i128)),
        ("outcomes", item::text(encode_outcomes(&decision.outcomes))),
        ("attempts", item::number(0)),
        ("finished", item::number(now.unix_millis())),
    ];
    Ok(Write::put(item::item(keys::job(job.id), attributes)).only_if("attribute_not_exists(pk)"))
}

fn job_expiry(job: &Job) -> AttributeValue {
    item::number(job.accepted_at.plus(JOB_RETENTION).unix_seconds())
}

fn encode_outcomes(outcomes: &[Outcome]) -> String {
    outcomes.iter().map(|outcome| char::from(outcome.to_byte())).collect()
}

fn is_held(item: &Item) -> bool {
    !item.contains_key("pairs") && item.contains_key(GPK)
}

/// Moves the cursor of a piece, provided that it is where it was.
fn move_cursor(job: JobId, from: &WorkItem, to: &WorkItem) -> Write {
    let key = WorkItemKey { job, number: from.number }.primary_key();
    let update = match to.finished_at {
        None => Write::update(key, "SET done = :to, outcomes = :outcomes"),
        Some(now) => {
            Write::update(key, "SET done = :to, outcomes = :outcomes, finished = :now REMOVE gpk, gsk")
                .value(":now", item::number(now.unix_millis()))
        }
    };
    update
        .only_if("done = :from AND attribute_exists(gpk)")
        .value(":from", item::number(from.outcomes.len() as i128))
        .value(":to", item::number(to.outcomes.len() as i128))
        .value(":outcomes", item::text(encode_outcomes(&to.outcomes)))
}

/// What is written of a piece that is open and of which nothing is done.
fn open_work_item_attributes(key: WorkItemKey, pairs: &Range<usize>) -> [(&'static str, AttributeValue); 7] {
    [
        (GPK, item::text(keys::open_partition(key.shard()))),
        (GSK, item::text(key.open_sort_key())),
        ("first", item::number(pairs.start as i128)),
        ("pairs", item::number(pairs.len() as i128)),
        ("done", item::number(0)),
        ("outcomes", item::text("")),
        ("attempts", item::number(0)),
    ]
}

fn parse_key(item: &Item) -> Result<WorkItemKey, StoreError> {
    WorkItemKey::parse(item::get_text(item, PK)?, item::get_text(item, SK)?).ok_or(StoreError::Unreadable(SK))
}

/// The job of an item of it; `None` for a piece that has an item of its own.
fn parse_job(key: WorkItemKey, item: &Item) -> Result<Option<Job>, StoreError> {
    (key.number == SINGLE).then(|| item::get_json(item, "job")).transpose()
}

/// The piece of an item of a job; `None` for the job itself where it has several pieces.
fn find_work_item(key: WorkItemKey, item: &Item) -> Result<Option<WorkItem>, StoreError> {
    let is_work_item = key.number != SINGLE || item.contains_key("pairs");
    is_work_item.then(|| parse_work_item(key, item)).transpose()
}

/// A piece that was closed because it cannot be read: its pairs have the outcomes that can be read, and the others have
/// failed. Of a job that finds its images itself one pair has failed, without a name.
fn closed_work_item(job: &Job, key: WorkItemKey, item: &Item) -> Result<WorkItem, StoreError> {
    let pairs = match job.task {
        Task::RespondToAll { .. } => Some(0..1),
        Task::Share | Task::Unshare | Task::Refresh | Task::Respond { .. } => {
            job.work_items().into_iter().nth(usize::from(key.number.saturating_sub(SINGLE + 1)))
        }
    };
    let pairs = pairs.ok_or(StoreError::Unreadable(SK))?;
    let outcomes = item::get_text(item, "outcomes").unwrap_or_default();
    let outcomes = outcomes.bytes().map(Outcome::from_byte).collect::<Option<Vec<_>>>();
    // A text of which a part cannot be read says nothing of the rest.
    let mut outcomes = outcomes.unwrap_or_default();
    outcomes.resize(pairs.len(), Outcome::RetriesExhausted);
    let finished = Some(Timestamp::from_unix_millis(item::get_number(item, CLOSED)?));
    Ok(WorkItem {
        number: key.number,
        pairs,
        found_images: Vec::new(),
        outcomes,
        finished_at: finished,
        attempts: 0,
    })
}

fn parse_work_item(key: WorkItemKey, item: &Item) -> Result<WorkItem, StoreError> {
    let first: usize = item::get_number(item, "first")?;
    let pairs: usize = item::get_number(item, "pairs")?;
    let outcomes =
        item::get_text(item, "outcomes")?.bytes().map(Outcome::from_byte).collect::<Option<Vec<_>>>();
    Ok(WorkItem {
        number: key.number,
        pairs: first..first.saturating_add(pairs),
        found_images: if item.contains_key("found") { item::get_json(item, "found")? } else { Vec::new() },
        outcomes: outcomes.ok_or(StoreError::Unreadable("outcomes"))?,
        finished_at: item::find_number(item, "finished")?.map(Timestamp::from_unix_millis),
        attempts: item::get_number(item, "attempts")?,
    })
}
