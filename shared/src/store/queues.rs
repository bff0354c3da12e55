//! The queue of a tenant: which of its jobs are open, how many pairs they have, and the stamp that its later requests must be
//! above. It stands on the tenant's item, which every request about the tenant reads.
//!
//! Small jobs stand beside each other in the queue. Large ones wait in line: only the active one of a line has work items,
//! so that a tenant who asks for much has a bounded number of them, on one machine and in the table's stream on AWS alike.

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
use crate::domain::{Job, Queue, QueueKind, Stamp, Tenant, TenantId};
use crate::table::Write;

/// What came of queueing a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnqueueOutcome {
    /// What came of the request.
    Submitted(SubmitOutcome),
    /// A later request of the tenant was queued meanwhile, or its line has moved: the job needs a new stamp.
    Conflict,
    /// The tenant has as many open jobs, or pairs in them, as it may.
    QueueFull,
}

/// A tenant in whose queue a job is to stand, as it was read.
pub type QueueTenant = (TenantId, Tenant);

impl Store {
    /// Reads a tenant. One read.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn tenant(&self, id: &TenantId) -> Result<Tenant, StoreError> {
        self.read_one(keys::tenant(id)).await?.as_ref().map_or(Ok(Tenant::default()), parse)
    }

    /// Accepts a job for later: one transaction of the job, its first work items, the queues that it stands in, and the
    /// remembered request. The first of the tenants has the job in its line, and its pairs count as that one's.
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
            |((id, _), (place, pairs)): (&QueueTenant, _)| enqueue_write(id, job, place, pairs, max_pairs);
        writes.extend(queues.iter().zip(slots).map(enqueue));
        let header = writes.len();
        writes.extend(job_writes(job, start)?);
        let reasons = match self.transact(&writes).await {
            Ok(()) => return Ok(EnqueueOutcome::Submitted(SubmitOutcome::Accepted)),
            Err(WriteError::Store(error)) => return Err(error),
            Err(WriteError::ConditionFailed(reasons)) => reasons,
        };
        let found = |place: usize| {
            reasons
                .get(place)
                .filter(|reason| is_condition_failure(reason))
                .and_then(|reason| reason.found.as_ref())
        };
        match (idempotency.zip(found(0)), found(header)) {
            (Some((idempotency, before)), _) => {
                replay_outcome(before, idempotency).map(EnqueueOutcome::Submitted)
            }
            // An earlier attempt was made, and its answer lost.
            (None, Some(before)) if item::get_json::<Job>(before, "job")? == *job => {
                Ok(EnqueueOutcome::Submitted(SubmitOutcome::Accepted))
            }
            _ => self.enqueue_failure(job, queues, max_pairs).await,
        }
    }

    async fn enqueue_failure(
        &self,
        job: &Job,
        queues: &[QueueTenant],
        max_pairs: u32,
    ) -> Result<EnqueueOutcome, StoreError> {
        for (number, (id, _)) in queues.iter().enumerate() {
            let Queue { jobs, pair_count: pairs, .. } = self.tenant(id).await?.queue;
            let more = if number == 0 { job.pair_count() } else { 0 };
            let pairs = pairs.saturating_add(u64::try_from(more).unwrap_or(u64::MAX));
            if jobs.len() >= MAX_OPEN_JOBS || (number == 0 && pairs > u64::from(max_pairs)) {
                return Ok(EnqueueOutcome::QueueFull);
            }
        }
        Ok(EnqueueOutcome::Conflict)
    }

    /// Takes a job that has ended out of its queues, and makes the next large one of its line active. That it was taken out
    /// before is no error. One write for each of the queues, and for a large job what [`Self::activate_next`] takes.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails; then it is done by a sweep, or by the next reader of the queue.
    pub(crate) async fn dequeue(&self, job: &Job) -> Result<(), StoreError> {
        for (number, tenant) in job.queues.iter().enumerate() {
            let is_first = number == 0;
            let pairs = if is_first { job.pair_count() } else { 0 };
            let remove = Write::update(keys::tenant(tenant), dequeue_expression(job, is_first))
                .only_if("contains(queued, :job)")
                .value(":job", item::text(job.id))
                .value(":jobs", AttributeValue::Ss(vec![job.id.to_string()]))
                .value(":minus", item::number(-i128::try_from(pairs).unwrap_or_default()));
            // Of several workers that see the end of a job only one takes it out, and goes on.
            if self.try_update(&remove).await? && is_first && job.is_large() {
                self.activate_next(tenant, QueueKind::of(&job.task)).await?;
            }
        }
        Ok(())
    }

    /// Makes the oldest waiting job of a line active, unless one is active. Reads the tenant, and the open jobs of its queue up
    /// to the one; one transaction.
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

    /// Gives its turn to a large job that waits though nothing of its line is active any more: a worker was stopped before it
    /// could. Reads the tenant and its active job; besides what [`Self::dequeue`] takes.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub(crate) async fn unblock(&self, held: &Job) -> Result<(), StoreError> {
        let Some(tenant) = held.queues.first() else { return Ok(()) };
        let kind = QueueKind::of(&held.task);
        let Some(active) = self.tenant(tenant).await?.queue.current.get(&kind).copied() else {
            return self.activate_next(tenant, kind).await;
        };
        match self.report(active).await?.filter(|report| report.ended_at().is_some()) {
            Some(ended) => self.dequeue(&ended.job).await,
            None => Ok(()),
        }
    }

    /// Leaves a stamp on the items of tenants, so that every later request about them is above it. One write for each, side by
    /// side; where one is in doubt, the request is not.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub(crate) async fn advance_clocks(&self, tenants: &[&TenantId], stamp: Stamp) -> Result<(), StoreError> {
        let untracked = self.untracked();
        let advance =
            async |tenant: &TenantId| untracked.try_update(&advance_clock(tenant, stamp)).await.map(drop);
        try_join_all(tenants.iter().map(|tenant| advance(tenant))).await.map(drop)
    }

    /// Makes a write, unless its condition does not hold. Returns whether it was made.
    async fn try_update(&self, write: &Write) -> Result<bool, StoreError> {
        match self.update(write).await {
            Ok(_) => Ok(true),
            Err(WriteError::ConditionFailed(_)) => Ok(false),
            Err(WriteError::Store(error)) => Err(error),
        }
    }
}
