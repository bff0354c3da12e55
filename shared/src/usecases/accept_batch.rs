//! Accept a batch request: execute it before the response if it fits into one transaction, and queue it otherwise.
//!
//! Most requests name a few images and a few tenants. They are executed before the response: one batch read, one
//! transaction that writes the memberships, and the ended job, in the transaction or after it. A larger request, or one
//! that conflicts with others on the same items, is queued, and its response is sent as soon as the job is stored.

use std::collections::BTreeSet;
use std::time::Duration;

use super::access::authorize_all;
use super::directory::reject_names_as_ids;
use super::earlier_jobs::has_open_earlier_job;
use super::failures::Failures;
use super::tenant_clocks::raise_tenant_clocks;
use super::{ExceededLimit, UseCaseError};
use crate::App;
use crate::domain::{
    Bypass, Caller, ImageAction, ImageId, Job, JobId, Plan, ShareKind, Stamp, Task, TenantId,
    check_share_request,
};
use crate::store::{EnqueueOutcome, IdempotencyRequest, Pair, Snapshot, StoreError, SubmitOutcome};

/// The most attempts to execute a request before it is queued, while others change the same items.
const MAX_IMMEDIATE_ATTEMPTS: u32 = 3;

/// The timeout of the transaction of one such attempt.
const IMMEDIATE_TIMEOUT: Duration = Duration::from_secs(2);

/// The most attempts to queue a request while the queues of its tenants change.
const MAX_QUEUE_ATTEMPTS: u32 = 20;

/// The `Retry-After` of a tenant with too many open jobs.
const QUEUE_FULL_RETRY_AFTER: Duration = Duration::from_secs(5);

/// A batch request.
#[derive(Debug, Clone)]
pub(super) struct BatchRequest {
    pub(super) task: Task,
    pub(super) images: Vec<ImageId>,
    pub(super) tenants: Vec<TenantId>,
    /// The request's digest under its idempotency key, if it has one.
    pub(super) idempotency: Option<IdempotencyRequest>,
    /// Whether an attempt to execute it may have been committed.
    pub(super) may_repeat: bool,
}

/// Accepts a batch request, if the caller is authorized for all its images. Returns the job's id.
///
/// Costs one batch read, the extra reads of the images' rules, what new senders take, one transaction, and where
/// transactions cost more one put; if queued, another batch read and transaction.
///
/// # Errors
/// [`UseCaseError`]; then no job was created, unless the error is [`StoreError::InDoubt`].
pub(super) async fn accept(
    app: &App,
    caller: &Caller,
    mut batch: BatchRequest,
) -> Result<JobId, UseCaseError> {
    let mut in_doubt_error = None;
    if batch.build_job(app, caller, Stamp::now()).fits_in_one_transaction() {
        for attempt in 0..MAX_IMMEDIATE_ATTEMPTS {
            backoff(attempt).await;
            let snapshot = batch.load_pairs(app, caller).await?;
            authorize_batch(app, caller, &batch, &snapshot).await?;
            match execute_immediately(app, caller, &batch, snapshot).await? {
                ImmediateResult::Completed(outcome) => return submitted_job_id(outcome),
                ImmediateResult::Conflict => {}
                ImmediateResult::QueueRequired => break,
                ImmediateResult::InDoubt(problem) => {
                    in_doubt_error = Some(problem);
                    break;
                }
            }
        }
    }
    // If the job may already be committed, a later refusal must not claim that nothing was done.
    batch.may_repeat = in_doubt_error.is_some();
    let queued = queue_batch(app, caller, &batch).await;
    queued.map_err(|error| in_doubt_error.map_or(error, UseCaseError::Store))
}

/// Checks that the caller may make a request, by the heads of its images. A decision may name any image: in its job, an
/// image that is not shared with the recipient and one that does not exist fail alike.
async fn authorize_batch(
    app: &App,
    caller: &Caller,
    batch: &BatchRequest,
    snapshot: &Snapshot,
) -> Result<(), UseCaseError> {
    match batch.task {
        Task::Share => authorize_share(app, caller, batch, snapshot).await,
        Task::Unshare => {
            authorize_all(app, caller, snapshot, &batch.images, ImageAction::Unshare).await.map(drop)
        }
        Task::Respond { .. } | Task::RespondToAll { .. } | Task::RespondToOwners { .. } | Task::Refresh => {
            Ok(())
        }
    }
}

/// Checks that the caller may share every image, and that each can be shared with each of the tenants.
async fn authorize_share(
    app: &App,
    caller: &Caller,
    BatchRequest { images, tenants, .. }: &BatchRequest,
    snapshot: &Snapshot,
) -> Result<(), UseCaseError> {
    for image in authorize_all(app, caller, snapshot, images, ImageAction::Share).await? {
        check_share_request(image, tenants, ShareKind::NeedsConsent)?;
    }
    reject_names_as_ids(app, caller, snapshot, tenants).await
}

/// The result of an attempt to execute a request before its response.
enum ImmediateResult {
    Completed((JobId, SubmitOutcome)),
    Conflict,
    /// It does not fit into one transaction, or an earlier job has to be executed first.
    QueueRequired,
    /// The job may be committed.
    InDoubt(StoreError),
}

async fn execute_immediately(
    app: &App,
    caller: &Caller,
    batch: &BatchRequest,
    mut snapshot: Snapshot,
) -> Result<ImmediateResult, UseCaseError> {
    let pairs = batch.pairs();
    if batch.is_decision() && has_open_earlier_job(app, &snapshot, &pairs, None).await? {
        return Ok(ImmediateResult::QueueRequired);
    }
    app.store.read_extra(&mut snapshot, &batch.task, &pairs).await?;
    let job = batch.build_job(app, caller, app.clock().stamp_after(snapshot.stamps()));
    let rules = app.settings.rules();
    let plan = snapshot.plan(&job, 0..job.pair_count(), rules);
    if plan.outcomes.len() < job.pair_count() {
        return Ok(ImmediateResult::QueueRequired);
    }
    let other_tenants = batch.tenants.iter().filter(|tenant| **tenant != caller.tenant);
    raise_tenant_clocks(app, &snapshot, other_tenants, job.id.0).await?;
    let store = app.store.with_timeout(IMMEDIATE_TIMEOUT);
    let caller_clock = app.clock().is_ahead(job.id.0).then_some(&caller.tenant);
    let extra_writes = (batch.idempotency.as_ref(), caller_clock);
    match store.commit_job(&job, &plan, &snapshot, extra_writes).await {
        Ok(Some(outcome)) => {
            log_failures(&job, &plan, &outcome);
            Ok(ImmediateResult::Completed((job.id, outcome)))
        }
        Ok(None) => Ok(ImmediateResult::Conflict),
        // Too many transactions touch the same items.
        Err(StoreError::Unavailable(_)) => Ok(ImmediateResult::QueueRequired),
        // If the transaction was committed, and only its response or the job lost, the queued job finds its pairs as
        // requested.
        Err(problem @ StoreError::InDoubt(_)) => Ok(ImmediateResult::InDoubt(problem)),
        Err(problem) => Err(problem.into()),
    }
}

/// Logs the failed pairs of a job that was executed with its request, since no worker logs it.
fn log_failures(job: &Job, plan: &Plan, outcome: &SubmitOutcome) {
    let failures = Failures::from_outcomes(job, 0, &plan.outcomes);
    if matches!(outcome, SubmitOutcome::Accepted)
        && let Some(first_failure) = failures.describe_first()
    {
        let (pairs, code) = (plan.outcomes.len(), failures.first_code());
        tracing::info!(job = %job.id, pairs, failed = failures.count, first_failure, code, "job finished");
    }
}

async fn queue_batch(app: &App, caller: &Caller, batch: &BatchRequest) -> Result<JobId, UseCaseError> {
    for attempt in 0..MAX_QUEUE_ATTEMPTS {
        backoff(attempt).await;
        let mut snapshot = if batch.is_decision() {
            batch.load_pairs(app, caller).await?
        } else {
            app.store.heads_and_tenants(&batch.images, &batch.involved_tenants(caller)).await?
        };
        authorize_batch(app, caller, batch, &snapshot).await?;
        let owners = snapshot.image_owners();
        app.store.read_tenants(&mut snapshot, &owners).await?;
        // A decision has read the memberships. Other requests have not, so their stamp is ahead of any stamp on them.
        let stamp = if batch.is_decision() {
            app.clock().stamp_after(snapshot.stamps())
        } else {
            app.clock().stamp_ahead(snapshot.stamps())
        };
        let queues = batch.queue_tenants(caller, owners);
        let other_tenants = batch.tenants.iter().filter(|tenant| !queues.contains(tenant));
        raise_tenant_clocks(app, &snapshot, other_tenants, stamp).await?;
        if let Some(job) = try_enqueue(app, caller, batch, stamp, (queues, &snapshot), attempt).await? {
            return Ok(job);
        }
    }
    Err(conflict_error())
}

/// Queues a decision on all images that are pending for a recipient, or those of some owners. Costs one read and one transaction.
///
/// # Errors
/// [`UseCaseError`]; then no job was created, unless the error is [`StoreError::InDoubt`].
pub(super) async fn queue_respond_to_all(
    app: &App,
    caller: &Caller,
    batch: &BatchRequest,
) -> Result<JobId, UseCaseError> {
    for attempt in 0..MAX_QUEUE_ATTEMPTS {
        backoff(attempt).await;
        let snapshot = app.store.heads_and_tenants(&[], &batch.involved_tenants(caller)).await?;
        let stamp = app.clock().stamp_ahead_of_queues(snapshot.stamps());
        let queues = batch.tenants.clone();
        if let Some(job) = try_enqueue(app, caller, batch, stamp, (queues, &snapshot), attempt).await? {
            return Ok(job);
        }
    }
    Err(conflict_error())
}

/// Makes one attempt to queue a request. Returns `None` if another attempt is needed, with a new stamp.
async fn try_enqueue(
    app: &App,
    caller: &Caller,
    batch: &BatchRequest,
    stamp: Stamp,
    (queues, snapshot): (Vec<TenantId>, &Snapshot),
    attempt: u32,
) -> Result<Option<JobId>, UseCaseError> {
    let max_pairs = app.settings.limits.open_pairs_per_tenant;
    let tenant_records: Vec<_> = queues.iter().map(|id| (id.clone(), snapshot.tenant(id))).collect();
    let job = Job { queues, ..batch.build_job(app, caller, stamp) };
    match app.store.enqueue_job(&job, &tenant_records, max_pairs, batch.idempotency.as_ref()).await? {
        EnqueueOutcome::Submitted(outcome) => submitted_job_id((job.id, outcome)).map(Some),
        EnqueueOutcome::QueueFull if attempt == 0 => {
            dequeue_ended_jobs(app, &job.queues).await?;
            Ok(None)
        }
        EnqueueOutcome::QueueFull => {
            let excess = ExceededLimit::OpenJobs { max_pairs };
            Err(UseCaseError::TooManyRequests { retry_after: QUEUE_FULL_RETRY_AFTER, excess })
        }
        EnqueueOutcome::Conflict => Ok(None),
    }
}

fn conflict_error() -> UseCaseError {
    StoreError::Unavailable("the tenant's queue has changed in every attempt".into()).into()
}

/// Takes ended jobs out of full queues: a worker may have stopped before it did.
async fn dequeue_ended_jobs(app: &App, tenants: &[TenantId]) -> Result<(), UseCaseError> {
    for tenant in tenants {
        for id in &app.store.tenant(tenant).await?.queue.jobs {
            let report = app.store.report(*id).await?.map(|report| report.bypass(Bypass::Worker));
            if let Some(report) = report.filter(|report| report.ended_at().is_some()) {
                app.store.dequeue(&report.job).await?;
            }
        }
    }
    Ok(())
}

fn submitted_job_id((created, outcome): (JobId, SubmitOutcome)) -> Result<JobId, UseCaseError> {
    match outcome {
        SubmitOutcome::Accepted => Ok(created),
        SubmitOutcome::Replayed(id) => Ok(id),
        SubmitOutcome::KeyReused => Err(UseCaseError::IdempotencyKeyReused),
    }
}

/// Waits before another attempt, with jitter, so that two requests do not retry at the same time.
async fn backoff(attempt: u32) {
    if attempt > 0 {
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..10 * u64::from(attempt)))).await;
    }
}

impl BatchRequest {
    fn build_job(&self, app: &App, caller: &Caller, stamp: Stamp) -> Job {
        Job {
            id: JobId(stamp),
            creator: caller.tenant.clone(),
            task: self.task.clone(),
            images: self.images.clone(),
            tenants: self.tenants.clone(),
            accepted_at: app.clock().now(),
            queues: Vec::new(),
            may_repeat: self.may_repeat,
        }
    }

    fn pairs(&self) -> Vec<Pair<'_>> {
        let of_image = |image| self.tenants.iter().map(move |tenant| (image, tenant));
        self.images.iter().flat_map(of_image).collect()
    }

    /// The tenants of the pairs, and the caller.
    fn involved_tenants<'a>(&'a self, caller: &'a Caller) -> Vec<&'a TenantId> {
        self.tenants.iter().chain([&caller.tenant]).collect()
    }

    fn is_decision(&self) -> bool {
        self.task.finds_images() || matches!(self.task, Task::Respond { .. })
    }

    /// The tenants whose queues hold the job: the deciding recipient, or the owners of the images, the caller first
    /// if it is one of them.
    fn queue_tenants(&self, caller: &Caller, owners: BTreeSet<TenantId>) -> Vec<TenantId> {
        if self.is_decision() {
            return self.tenants.clone();
        }
        let own = owners.contains(&caller.tenant).then(|| caller.tenant.clone());
        own.into_iter().chain(owners.into_iter().filter(|owner| *owner != caller.tenant)).collect()
    }

    /// Reads the heads, memberships and tenants of the pairs, and the caller's tenant.
    async fn load_pairs(&self, app: &App, caller: &Caller) -> Result<Snapshot, StoreError> {
        let mut snapshot = app.store.snapshot(&self.pairs(), &self.involved_tenants(caller)).await?;
        let owners = snapshot.image_owners();
        app.store.read_tenants(&mut snapshot, &owners).await?;
        Ok(snapshot)
    }
}
