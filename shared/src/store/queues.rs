//! The queue of a tenant: its open jobs, their number of pairs, and the stamp above which its later requests must be.
//! It is on the tenant's item, which every request about the tenant reads.
//!
//! Small jobs execute in parallel. Of the large ones, only one of each [`QueueKind`] is active and has work items; the
//! others are held. So a tenant has a bounded number of open work items, on one machine and in the table's stream on
//! AWS alike.

use std::iter;

use futures_util::future::try_join_all;

use super::client::Store;
use super::error::{StoreError, WriteError};
use super::item::{self, AttributeValue};
use super::items::idempotency::{IdempotencyRequest, SubmitOutcome, record_job, replay_outcome};
use super::items::job::{JobStart, job_writes};
use super::items::tenant::{
    MAX_OPEN_JOBS, QueueSlot, activate_expression, active_attribute, advance_clock, dequeue_expression,
    enqueue_write, parse,
};
use super::keys;
use super::table_calls::is_condition_failure;
use crate::domain::{Bypass, Job, Queue, QueueKind, Stamp, Tenant, TenantId};
use crate::table::Write;

/// The most updates of tenants' clocks that run concurrently.
const MAX_CONCURRENT_UPDATES: usize = 100;

/// The outcome of queueing a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnqueueOutcome {
    /// The request was accepted, now or earlier, or has reused an idempotency key.
    Submitted(SubmitOutcome),
    /// A queue has changed since it was read, by a later request or by a job that ended: the job needs a new stamp.
    Conflict,
    /// A tenant has reached its limit of open jobs, or of pairs in them.
    QueueFull,
}

/// A tenant in whose queue a job is put, as it was read.
pub type QueueTenant = (TenantId, Tenant);

impl Store {
    /// Reads a tenant; one without an item has the default values. One read.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn tenant(&self, id: &TenantId) -> Result<Tenant, StoreError> {
        self.read_one(keys::tenant(id)).await?.as_ref().map_or(Ok(Tenant::default()), parse)
    }

    /// Accepts a job for later execution. One transaction: the job, its first work items unless it is held, its
    /// queues, and the request's idempotency key. The job's pairs, and its turn if it is large, count in the first
    /// queue only. After a conflict, one read for each queue.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn enqueue_job(
        &self,
        job: &Job,
        queues: &[QueueTenant],
        max_pairs: u32,
        idempotency: Option<&IdempotencyRequest>,
    ) -> Result<EnqueueOutcome, StoreError> {
        let kind = QueueKind::of(&job.task);
        let must_wait = queues.first().is_some_and(|(_, first)| first.queue.current.contains_key(&kind));
        let (slot, start) = match (job.is_large(), must_wait) {
            (false, _) => (QueueSlot::Parallel, JobStart::Immediate),
            (true, false) => (QueueSlot::Active(kind), JobStart::Immediate),
            (true, true) => (QueueSlot::Held(kind), JobStart::Held),
        };
        let slots = iter::once((slot, job.pair_count())).chain(iter::repeat((QueueSlot::Parallel, 0)));
        let mut writes: Vec<_> = idempotency.map(|request| record_job(request, job)).into_iter().collect();
        let enqueue =
            |((id, _), (slot, pairs)): (&QueueTenant, _)| enqueue_write(id, job, slot, pairs, max_pairs);
        writes.extend(queues.iter().zip(slots).map(enqueue));
        let job_index = writes.len();
        writes.extend(job_writes(job, start)?);
        let reasons = match self.transact(&writes).await {
            Ok(()) => return Ok(EnqueueOutcome::Submitted(SubmitOutcome::Accepted)),
            Err(WriteError::Store(error)) => return Err(error),
            Err(WriteError::ConditionFailed(reasons)) => reasons,
        };
        let stored = |index: usize| {
            reasons
                .get(index)
                .filter(|reason| is_condition_failure(reason))
                .and_then(|reason| reason.found.as_ref())
        };
        match (idempotency.zip(stored(0)), stored(job_index)) {
            (Some((idempotency, request)), _) => {
                replay_outcome(request, idempotency).map(EnqueueOutcome::Submitted)
            }
            // An earlier attempt was committed, and its response lost.
            (None, Some(existing)) if item::get_json::<Job>(existing, "job")? == *job => {
                Ok(EnqueueOutcome::Submitted(SubmitOutcome::Accepted))
            }
            _ => self.enqueue_failure(job, queues, max_pairs).await,
        }
    }

    /// Finds out why a job was not queued: a queue is full, or has changed. One read for each queue.
    async fn enqueue_failure(
        &self,
        job: &Job,
        queues: &[QueueTenant],
        max_pairs: u32,
    ) -> Result<EnqueueOutcome, StoreError> {
        for (index, (id, _)) in queues.iter().enumerate() {
            let Queue { jobs, pair_count, .. } = self.tenant(id).await?.queue;
            let added = if index == 0 { job.pair_count() } else { 0 };
            let pairs = pair_count.saturating_add(u64::try_from(added).unwrap_or(u64::MAX));
            if jobs.len() >= MAX_OPEN_JOBS || (index == 0 && pairs > u64::from(max_pairs)) {
                return Ok(EnqueueOutcome::QueueFull);
            }
        }
        Ok(EnqueueOutcome::Conflict)
    }

    /// Takes an ended job out of its queues, and activates the next large one of its kind. Does nothing if the job was
    /// taken out before. One write for each queue, and for a large job what [`Self::activate_next`] takes.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails; a sweep, or the next reader of the queue, then tries again.
    pub(crate) async fn dequeue(&self, job: &Job) -> Result<(), StoreError> {
        for (index, tenant) in job.queues.iter().enumerate() {
            let is_first = index == 0;
            let pairs = if is_first { job.pair_count() } else { 0 };
            let remove = Write::update(keys::tenant(tenant), dequeue_expression(job, is_first))
                .only_if("contains(queued, :job)")
                .value(":job", item::text(job.id))
                .value(":jobs", AttributeValue::Ss(vec![job.id.to_string()]))
                .value(":minus", item::number(-i128::try_from(pairs).unwrap_or_default()));
            // Several workers may see the end of a job. The one that takes it out also activates the next.
            if self.try_update(&remove).await? && is_first && job.is_large() {
                self.activate_next(tenant, QueueKind::of(&job.task)).await?;
            }
        }
        Ok(())
    }

    /// Activates the tenant's oldest held job of a kind, unless one of that kind is active. One read of the tenant,
    /// one for each job of its queue up to the one that is activated, and one transaction.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub(crate) async fn activate_next(&self, tenant: &TenantId, kind: QueueKind) -> Result<(), StoreError> {
        let queue = self.tenant(tenant).await?.queue;
        if queue.current.contains_key(&kind) {
            return Ok(());
        }
        for id in queue.jobs {
            let Some(job) = self.held_job(id).await? else { continue };
            if QueueKind::of(&job.task) != kind {
                continue;
            }
            let activate = Write::update(keys::tenant(tenant), activate_expression(kind))
                .only_if(format!("attribute_not_exists({})", active_attribute(kind)))
                .value(":job", item::text(id));
            let mut writes = vec![activate];
            writes.extend(job_writes(&job, JobStart::Unblocked)?);
            return self.commit(&writes).await.map(drop);
        }
        Ok(())
    }

    /// Activates a held job if nothing of its kind is active any more, or the active one has ended: a worker was
    /// killed before it could. One read and one query, and what [`Self::dequeue`] takes.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub(crate) async fn unblock(&self, held: &Job) -> Result<(), StoreError> {
        let Some(tenant) = held.queues.first() else { return Ok(()) };
        let kind = QueueKind::of(&held.task);
        let Some(active) = self.tenant(tenant).await?.queue.current.get(&kind).copied() else {
            return self.activate_next(tenant, kind).await;
        };
        let report = self.report(active).await?.map(|report| report.bypass(Bypass::Worker));
        match report.filter(|report| report.ended_at().is_some()) {
            Some(ended) => self.dequeue(&ended.job).await,
            None => Ok(()),
        }
    }

    /// Raises the clocks of tenants to a stamp, so that every later request about them is above it. One write for
    /// each, in parallel. If one of them is in doubt, the request is not.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub(crate) async fn advance_clocks(&self, tenants: &[&TenantId], stamp: Stamp) -> Result<(), StoreError> {
        let untracked = self.untracked();
        let advance =
            async |tenant: &TenantId| untracked.try_update(&advance_clock(tenant, stamp)).await.map(drop);
        for some in tenants.chunks(MAX_CONCURRENT_UPDATES) {
            try_join_all(some.iter().map(|tenant| advance(tenant))).await?;
        }
        Ok(())
    }

    /// Makes a write if its condition holds, and returns whether it does.
    async fn try_update(&self, write: &Write) -> Result<bool, StoreError> {
        match self.update(write).await {
            Ok(_) => Ok(true),
            Err(WriteError::ConditionFailed(_)) => Ok(false),
            Err(WriteError::Store(error)) => Err(error),
        }
    }
}
