//! Accept a batch request: carry it out at once where one transaction holds it, else queue it.
//!
//! Most requests name a few images and a few tenants. These are done when they are answered: one batch read, and one
//! transaction that writes the memberships together with their job, which has ended. A request that is larger, or that
//! meets others on the same items, is queued, and answered as soon as it cannot be lost any more.

use std::collections::BTreeSet;
use std::time::Duration;

use super::access::authorize_all;
use super::directory::reject_names_as_ids;
use super::earlier_jobs::has_open_earlier_job;
use super::failures::Failures;
use super::tenant_clocks::raise_tenant_clocks;
use super::{ExceededLimit, UseCaseError};
use crate::App;
use crate::domain::{Caller, ImageAction, ImageId, Job, JobId, Plan, Stamp, Task, TenantId, Visibility};
use crate::store::{EnqueueOutcome, IdempotencyRequest, Pair, Snapshot, StoreError, SubmitOutcome};

/// How often a request is tried at once while others change the same items.
const MAX_IMMEDIATE_ATTEMPTS: u32 = 3;

/// How long the transaction of one attempt is tried.
const IMMEDIATE_TIMEOUT: Duration = Duration::from_secs(2);

/// How often a request is queued anew after another request of the tenant was queued in between.
const MAX_QUEUE_ATTEMPTS: u32 = 20;

/// When a tenant whose open jobs are too many may come again.
const QUEUE_FULL_RETRY_AFTER: Duration = Duration::from_secs(5);

/// A batch request.
#[derive(Debug, Clone)]
pub(super) struct BatchRequest {
    pub(super) task: Task,
    pub(super) images: Vec<ImageId>,
    pub(super) tenants: Vec<TenantId>,
    /// The request under its idempotency key.
    pub(super) idempotency: Option<IdempotencyRequest>,
}

/// Accepts a batch request, if the caller may make it of these images. Returns its job's id.
///
/// At once: one batch read, what the rules of the images need besides, and one transaction. Queued: one batch read and one
/// transaction.
///
/// # Errors
/// [`UseCaseError`]; then no job was made, unless that is in doubt.
pub(super) async fn accept(app: &App, caller: &Caller, batch: BatchRequest) -> Result<JobId, UseCaseError> {
    let mut in_doubt = None;
    if batch.build_job(app, caller, Stamp::now()).fits_in_one_transaction() {
        for attempt in 0..MAX_IMMEDIATE_ATTEMPTS {
            backoff(attempt).await;
            let read = batch.load_pairs(app, caller).await?;
            authorize_batch(app, caller, &batch, &read).await?;
            match execute_immediately(app, caller, &batch, read).await? {
                ImmediateResult::Completed(submitted) => return submitted_job_id(submitted),
                ImmediateResult::Conflict => {}
                ImmediateResult::QueueRequired => break,
                ImmediateResult::InDoubt(problem) => {
                    in_doubt = Some(problem);
                    break;
                }
            }
        }
    }
    // Where it may have been made, whatever has changed since then is no reason to say that it was not.
    let queued = queue_batch(app, caller, &batch).await;
    queued.map_err(|refusal| in_doubt.map_or(refusal, UseCaseError::Store))
}

/// Checks that the caller may make a request, by the heads of its images. An answer may name any image: in its job, one that
/// is not shared with the recipient and one that does not exist fail alike.
async fn authorize_batch(
    app: &App,
    caller: &Caller,
    batch: &BatchRequest,
    read: &Snapshot,
) -> Result<(), UseCaseError> {
    match batch.task {
        Task::Share => authorize_share(app, caller, batch, read).await,
        Task::Unshare => {
            authorize_all(app, caller, read, &batch.images, ImageAction::Unshare).await.map(drop)
        }
        Task::Respond { .. } | Task::RespondToAll { .. } | Task::Refresh => Ok(()),
    }
}

/// Checks that the caller may share every image, and that each can be shared with each of the tenants.
async fn authorize_share(
    app: &App,
    caller: &Caller,
    BatchRequest { images, tenants, .. }: &BatchRequest,
    read: &Snapshot,
) -> Result<(), UseCaseError> {
    for image in authorize_all(app, caller, read, images, ImageAction::Share).await? {
        if image.visibility != Visibility::Shared {
            let (image, visibility) = (image.id.clone(), image.visibility);
            return Err(UseCaseError::NotShared { image, visibility });
        }
        if let Some(owner) = tenants.iter().find(|tenant| **tenant == image.owner) {
            return Err(UseCaseError::SelfShare(owner.clone()));
        }
    }
    reject_names_as_ids(app, caller, read, tenants).await
}

/// What came of an attempt to carry a request out at once.
enum ImmediateResult {
    Completed((JobId, SubmitOutcome)),
    Conflict,
    /// It does not fit one transaction, or an earlier request must be carried out first.
    QueueRequired,
    /// It may have been made.
    InDoubt(StoreError),
}

async fn execute_immediately(
    app: &App,
    caller: &Caller,
    batch: &BatchRequest,
    mut read: Snapshot,
) -> Result<ImmediateResult, UseCaseError> {
    let pairs = batch.pairs();
    if batch.is_decision() && has_open_earlier_job(app, &read, &pairs, None).await? {
        return Ok(ImmediateResult::QueueRequired);
    }
    app.store.read_extra(&mut read, &batch.task, &pairs).await?;
    let job = batch.build_job(app, caller, app.clock().stamp_after(read.stamps()));
    let rules = app.settings.rules();
    let decision = read.plan(&job, 0..job.pair_count(), rules);
    if decision.outcomes.len() < job.pair_count() {
        return Ok(ImmediateResult::QueueRequired);
    }
    let others = batch.tenants.iter().filter(|tenant| **tenant != caller.tenant);
    raise_tenant_clocks(app, &read, others, job.id.0).await?;
    let store = app.store.with_timeout(IMMEDIATE_TIMEOUT);
    let raises = app.clock().is_ahead(job.id.0).then_some(&caller.tenant);
    let besides = (batch.idempotency.as_ref(), raises);
    match store.commit_job(&job, &decision, &read, besides).await {
        Ok(Some(submitted)) => {
            log_failures(&job, &decision, &submitted);
            Ok(ImmediateResult::Completed((job.id, submitted)))
        }
        Ok(None) => Ok(ImmediateResult::Conflict),
        // Others hold on to the same items.
        Err(StoreError::Unavailable(_)) => Ok(ImmediateResult::QueueRequired),
        // If it was made after all, and its answer lost, what is queued finds it done.
        Err(problem @ StoreError::InDoubt(_)) => Ok(ImmediateResult::InDoubt(problem)),
        Err(problem) => Err(problem.into()),
    }
}

/// A job that is carried out at once has no worker that would log it.
fn log_failures(job: &Job, decision: &Plan, submitted: &SubmitOutcome) {
    let failures = Failures::from_outcomes(job, 0, &decision.outcomes);
    if matches!(submitted, SubmitOutcome::Accepted)
        && let Some(first_failure) = failures.describe_first()
    {
        let (pairs, code) = (decision.outcomes.len(), failures.first_code());
        tracing::info!(job = %job.id, pairs, failed = failures.count, first_failure, code, "job finished");
    }
}

async fn queue_batch(app: &App, caller: &Caller, batch: &BatchRequest) -> Result<JobId, UseCaseError> {
    for attempt in 0..MAX_QUEUE_ATTEMPTS {
        backoff(attempt).await;
        let mut read = if batch.is_decision() {
            batch.load_pairs(app, caller).await?
        } else {
            app.store.heads_and_tenants(&batch.images, &batch.involved_tenants(caller)).await?
        };
        authorize_batch(app, caller, batch, &read).await?;
        let owners = read.image_owners();
        app.store.read_tenants(&mut read, &owners).await?;
        // An answer has read the memberships; another request is ahead of whatever was done to them.
        let stamp = if batch.is_decision() {
            app.clock().stamp_after(read.stamps())
        } else {
            app.clock().stamp_ahead(read.stamps())
        };
        let queues = batch.queue_tenants(caller, owners);
        let others = batch.tenants.iter().filter(|tenant| !queues.contains(tenant));
        raise_tenant_clocks(app, &read, others, stamp).await?;
        if let Some(job) = try_enqueue(app, caller, batch, stamp, (queues, &read), attempt).await? {
            return Ok(job);
        }
    }
    Err(conflict_error())
}

/// Queues an answer to everything that waits for a recipient. One read and one transaction.
///
/// # Errors
/// [`UseCaseError`]; then no job was made.
pub(super) async fn queue_respond_to_all(
    app: &App,
    caller: &Caller,
    batch: &BatchRequest,
) -> Result<JobId, UseCaseError> {
    for attempt in 0..MAX_QUEUE_ATTEMPTS {
        backoff(attempt).await;
        let read = app.store.heads_and_tenants(&[], &batch.involved_tenants(caller)).await?;
        let stamp = app.clock().stamp_ahead_of_queues(read.stamps());
        let queues = batch.tenants.clone();
        if let Some(job) = try_enqueue(app, caller, batch, stamp, (queues, &read), attempt).await? {
            return Ok(job);
        }
    }
    Err(conflict_error())
}

/// Makes one attempt to queue a request. `None` where it needs another one, with a new stamp.
async fn try_enqueue(
    app: &App,
    caller: &Caller,
    batch: &BatchRequest,
    stamp: Stamp,
    (queues, read): (Vec<TenantId>, &Snapshot),
    attempt: u32,
) -> Result<Option<JobId>, UseCaseError> {
    let most_pairs = app.settings.limits.open_pairs_per_tenant;
    let as_read: Vec<_> = queues.iter().map(|id| (id.clone(), read.tenant(id))).collect();
    let job = Job { queues, ..batch.build_job(app, caller, stamp) };
    match app.store.enqueue_job(&job, &as_read, most_pairs, batch.idempotency.as_ref()).await? {
        EnqueueOutcome::Submitted(submitted) => submitted_job_id((job.id, submitted)).map(Some),
        EnqueueOutcome::QueueFull if attempt == 0 => {
            dequeue_ended_jobs(app, &job.queues).await?;
            Ok(None)
        }
        EnqueueOutcome::QueueFull => {
            let excess = ExceededLimit::OpenJobs { max_pairs: most_pairs };
            Err(UseCaseError::TooManyRequests { retry_after: QUEUE_FULL_RETRY_AFTER, excess })
        }
        EnqueueOutcome::Conflict => Ok(None),
    }
}

fn conflict_error() -> UseCaseError {
    StoreError::Unavailable("the tenant's queue is changed all the time".into()).into()
}

/// Takes jobs that have ended out of full queues, where a worker was stopped before it could.
async fn dequeue_ended_jobs(app: &App, tenants: &[TenantId]) -> Result<(), UseCaseError> {
    for tenant in tenants {
        for id in &app.store.tenant(tenant).await?.queue.jobs {
            if let Some(report) = app.store.report(*id).await?.filter(|report| report.ended_at().is_some()) {
                app.store.dequeue(&report.job).await?;
            }
        }
    }
    Ok(())
}

fn submitted_job_id((made, submitted): (JobId, SubmitOutcome)) -> Result<JobId, UseCaseError> {
    match submitted {
        SubmitOutcome::Accepted => Ok(made),
        SubmitOutcome::Replayed(id) => Ok(id),
        SubmitOutcome::KeyReused => Err(UseCaseError::IdempotencyKeyReused),
    }
}

/// Waits a little before another attempt, at random, so that two who met part.
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
        }
    }

    fn pairs(&self) -> Vec<Pair<'_>> {
        let of_image = |image| self.tenants.iter().map(move |tenant| (image, tenant));
        self.images.iter().flat_map(of_image).collect()
    }

    /// The tenants of the pairs, and the caller's.
    fn involved_tenants<'a>(&'a self, caller: &'a Caller) -> Vec<&'a TenantId> {
        self.tenants.iter().chain([&caller.tenant]).collect()
    }

    fn is_decision(&self) -> bool {
        matches!(self.task, Task::Respond { .. } | Task::RespondToAll { .. })
    }

    /// The tenants in whose queues the request stands: those whose images it is about, or whose answer it is. The caller
    /// comes first where it is one of them.
    fn queue_tenants(&self, caller: &Caller, owners: BTreeSet<TenantId>) -> Vec<TenantId> {
        if self.is_decision() {
            return self.tenants.clone();
        }
        let own = owners.contains(&caller.tenant).then(|| caller.tenant.clone());
        own.into_iter().chain(owners.into_iter().filter(|owner| *owner != caller.tenant)).collect()
    }

    /// Reads the heads, the memberships, the tenants of the pairs, and the caller's own.
    async fn load_pairs(&self, app: &App, caller: &Caller) -> Result<Snapshot, StoreError> {
        let mut read = app.store.snapshot(&self.pairs(), &self.involved_tenants(caller)).await?;
        let owners = read.image_owners();
        app.store.read_tenants(&mut read, &owners).await?;
        Ok(read)
    }
}
