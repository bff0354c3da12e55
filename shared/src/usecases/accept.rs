//! Accept a batch request: carry it out at once where one transaction holds it, else queue it.
//!
//! Most requests name a few images and a few tenants. These are done when they are answered: one batch read, and one
//! transaction that writes the memberships together with their job, which has ended. A request that is larger, or that
//! meets others on the same items, is queued, and answered as soon as it cannot be lost any more.

use std::collections::BTreeSet;
use std::time::Duration;

use super::failures::Failures;
use super::older_work::older_work;
use super::stamps::leave_far_stamp;
use super::{Excess, Refusal, share};
use crate::Service;
use crate::domain::{Caller, Decision, ImageId, Job, JobId, Stamp, Task, TenantId, decide};
use crate::store::{Pair, Queued, Remembered, Snapshot, StoreError, Submitted};

/// How often a request is tried at once while others change the same items.
const AT_ONCE_ATTEMPTS: u32 = 3;

/// How long the transaction of one attempt is tried.
const AT_ONCE_TIME: Duration = Duration::from_secs(2);

/// How often a request is queued anew after another request of the tenant was queued in between.
const QUEUE_ATTEMPTS: u32 = 20;

/// When a tenant whose open jobs are too many may come again.
const RETRY_WHEN_FULL: Duration = Duration::from_secs(5);

/// A batch request.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    pub(super) task: Task,
    pub(super) images: Vec<ImageId>,
    pub(super) tenants: Vec<TenantId>,
    /// The request under its idempotency key.
    pub(super) remembered: Option<Remembered>,
}

/// Accepts a batch request, if the caller may make it of these images. Returns its job's id.
///
/// At once: one batch read, what the rules of the images need besides, and one transaction. Queued: one batch read and one
/// transaction.
///
/// # Errors
/// [`Refusal`]; then no job was made, unless that is in doubt.
pub(super) async fn accept(service: &Service, caller: &Caller, batch: Batch) -> Result<JobId, Refusal> {
    let mut in_doubt = None;
    if batch.job(service, caller, Stamp::now()).fits_one_transaction() {
        for attempt in 0..AT_ONCE_ATTEMPTS {
            pause(attempt).await;
            let read = batch.read_pairs(service, caller).await?;
            check(service, caller, &batch, &read).await?;
            match at_once(service, caller, &batch, read).await? {
                AtOnce::Done(submitted) => return job_of(submitted),
                AtOnce::Contended => {}
                AtOnce::Queue => break,
                AtOnce::InDoubt(problem) => {
                    in_doubt = Some(problem);
                    break;
                }
            }
        }
    }
    // Where it may have been made, whatever has changed since then is no reason to say that it was not.
    let queued = queue(service, caller, &batch).await;
    queued.map_err(|refusal| in_doubt.map_or(refusal, Refusal::Store))
}

/// Checks that the caller may make a request, by the heads of its images. An answer may name any image: in its job, one that
/// is not shared with the recipient and one that does not exist fail alike.
async fn check(service: &Service, caller: &Caller, batch: &Batch, read: &Snapshot) -> Result<(), Refusal> {
    match batch.task {
        Task::Share => share::check(service, caller, read, &batch.images, &batch.tenants).await,
        Task::Unshare => share::owned_images(service, caller, read, &batch.images).await.map(drop),
        Task::Respond { .. } | Task::RespondToAll { .. } | Task::Refresh => Ok(()),
    }
}

/// What came of an attempt to carry a request out at once.
enum AtOnce {
    Done((JobId, Submitted)),
    Contended,
    /// It does not fit one transaction, or an earlier request must be carried out first.
    Queue,
    /// It may have been made.
    InDoubt(StoreError),
}

async fn at_once(
    service: &Service,
    caller: &Caller,
    batch: &Batch,
    mut read: Snapshot,
) -> Result<AtOnce, Refusal> {
    let pairs = batch.pairs();
    if batch.is_answer() && older_work(service, &read, &pairs, None).await? {
        return Ok(AtOnce::Queue);
    }
    service.store.read_needed(&mut read, &batch.task, &pairs).await?;
    let job = batch.job(service, caller, service.clock().stamp_after(read.stamps()));
    let rules = service.settings.rules();
    let decision: Decision = decide(&job, 0..job.pair_count(), &read.known, rules);
    if decision.outcomes.len() < job.pair_count() {
        return Ok(AtOnce::Queue);
    }
    let others = batch.tenants.iter().filter(|tenant| **tenant != caller.tenant);
    leave_far_stamp(service, &read, others, job.id.0).await?;
    let store = service.store.within(AT_ONCE_TIME);
    let raises = service.clock().is_ahead(job.id.0).then_some(&caller.tenant);
    let besides = (batch.remembered.as_ref(), raises);
    match store.make_at_once(&job, &decision, &read, rules, besides).await {
        Ok(Some(submitted)) => {
            log_failures(&job, &decision, &submitted);
            Ok(AtOnce::Done((job.id, submitted)))
        }
        Ok(None) => Ok(AtOnce::Contended),
        // Others hold on to the same items.
        Err(StoreError::Unavailable(_)) => Ok(AtOnce::Queue),
        // If it was made after all, and its answer lost, what is queued finds it done.
        Err(problem @ StoreError::InDoubt(_)) => Ok(AtOnce::InDoubt(problem)),
        Err(problem) => Err(problem.into()),
    }
}

/// A job that is carried out at once has no worker that would log it.
fn log_failures(job: &Job, decision: &Decision, submitted: &Submitted) {
    let failures = Failures::of(job, 0, &decision.outcomes);
    if matches!(submitted, Submitted::Yes)
        && let Some(first_failure) = failures.first()
    {
        let pairs = decision.outcomes.len();
        tracing::info!(job = %job.id, pairs, failed = failures.count, first_failure, "job finished");
    }
}

async fn queue(service: &Service, caller: &Caller, batch: &Batch) -> Result<JobId, Refusal> {
    for attempt in 0..QUEUE_ATTEMPTS {
        pause(attempt).await;
        let mut read = if batch.is_answer() {
            batch.read_pairs(service, caller).await?
        } else {
            service.store.heads_and_tenants(&batch.images, &batch.parties(caller)).await?
        };
        check(service, caller, batch, &read).await?;
        let owners = owners(&read);
        service.store.read_tenants(&mut read, &owners).await?;
        // An answer has read the memberships; another request is ahead of whatever was done to them.
        let stamp = if batch.is_answer() {
            service.clock().stamp_after(read.stamps())
        } else {
            service.clock().stamp_ahead(read.stamps())
        };
        let queues = batch.queues(caller, owners);
        let others = batch.tenants.iter().filter(|tenant| !queues.contains(tenant));
        leave_far_stamp(service, &read, others, stamp).await?;
        if let Some(job) = enqueue(service, caller, batch, stamp, (queues, &read), attempt).await? {
            return Ok(job);
        }
    }
    Err(contended())
}

/// Queues an answer to everything that waits for a recipient. One read and one transaction.
///
/// # Errors
/// [`Refusal`]; then no job was made.
pub(super) async fn queue_answer_to_all(
    service: &Service,
    caller: &Caller,
    batch: &Batch,
) -> Result<JobId, Refusal> {
    for attempt in 0..QUEUE_ATTEMPTS {
        pause(attempt).await;
        let read = service.store.heads_and_tenants(&[], &batch.parties(caller)).await?;
        let stamp = service.clock().stamp_ahead_of_queues(read.stamps());
        let queues = batch.tenants.clone();
        if let Some(job) = enqueue(service, caller, batch, stamp, (queues, &read), attempt).await? {
            return Ok(job);
        }
    }
    Err(contended())
}

/// Makes one attempt to queue a request. `None` where it needs another one, with a new stamp.
async fn enqueue(
    service: &Service,
    caller: &Caller,
    batch: &Batch,
    stamp: Stamp,
    (queues, read): (Vec<TenantId>, &Snapshot),
    attempt: u32,
) -> Result<Option<JobId>, Refusal> {
    let most_pairs = service.settings.limits.open_pairs_per_tenant;
    let as_read: Vec<_> = queues.iter().map(|id| (id.clone(), read.tenant(id))).collect();
    let job = Job { queues, ..batch.job(service, caller, stamp) };
    match service.store.queue(&job, &as_read, most_pairs, batch.remembered.as_ref()).await? {
        Queued::Submitted(submitted) => job_of((job.id, submitted)).map(Some),
        Queued::Full if attempt == 0 => {
            forget_ended(service, &job.queues).await?;
            Ok(None)
        }
        Queued::Full => {
            let excess = Excess::OpenJobs { most_pairs };
            Err(Refusal::TooManyRequests { retry_after: RETRY_WHEN_FULL, excess })
        }
        Queued::Stale => Ok(None),
    }
}

fn contended() -> Refusal {
    StoreError::Unavailable("the tenant's queue is changed all the time".into()).into()
}

fn owners(read: &Snapshot) -> BTreeSet<TenantId> {
    read.known.images.values().map(|head| head.owner.clone()).collect()
}

/// Takes jobs that have ended out of full queues, where a worker was stopped before it could.
async fn forget_ended(service: &Service, tenants: &[TenantId]) -> Result<(), Refusal> {
    for tenant in tenants {
        for id in &service.store.tenant(tenant).await?.queue.jobs {
            if let Some(report) = service.store.report(*id).await?.filter(|report| report.ended().is_some()) {
                service.store.dequeue(&report.job).await?;
            }
        }
    }
    Ok(())
}

fn job_of((made, submitted): (JobId, Submitted)) -> Result<JobId, Refusal> {
    match submitted {
        Submitted::Yes => Ok(made),
        Submitted::Before(id) => Ok(id),
        Submitted::KeyUsed => Err(Refusal::KeyUsed),
    }
}

/// Waits a little before another attempt, at random, so that two who met part.
async fn pause(attempt: u32) {
    if attempt > 0 {
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..10 * u64::from(attempt)))).await;
    }
}

impl Batch {
    fn job(&self, service: &Service, caller: &Caller, stamp: Stamp) -> Job {
        Job {
            id: JobId(stamp),
            creator: caller.tenant.clone(),
            task: self.task.clone(),
            images: self.images.clone(),
            tenants: self.tenants.clone(),
            accepted: service.clock().now(),
            queues: Vec::new(),
        }
    }

    fn pairs(&self) -> Vec<Pair<'_>> {
        let of_image = |image| self.tenants.iter().map(move |tenant| (image, tenant));
        self.images.iter().flat_map(of_image).collect()
    }

    /// The tenants of the pairs, and the caller's.
    fn parties<'a>(&'a self, caller: &'a Caller) -> Vec<&'a TenantId> {
        self.tenants.iter().chain([&caller.tenant]).collect()
    }

    fn is_answer(&self) -> bool {
        matches!(self.task, Task::Respond { .. } | Task::RespondToAll { .. })
    }

    /// The tenants in whose queues the request stands: those whose images it is about, or whose answer it is. The caller
    /// comes first where it is one of them.
    fn queues(&self, caller: &Caller, owners: BTreeSet<TenantId>) -> Vec<TenantId> {
        if self.is_answer() {
            return self.tenants.clone();
        }
        let own = owners.contains(&caller.tenant).then(|| caller.tenant.clone());
        own.into_iter().chain(owners.into_iter().filter(|owner| *owner != caller.tenant)).collect()
    }

    /// Reads the heads, the memberships, the tenants of the pairs, and the caller's own.
    async fn read_pairs(&self, service: &Service, caller: &Caller) -> Result<Snapshot, StoreError> {
        let mut read = service.store.snapshot(&self.pairs(), &self.parties(caller)).await?;
        let owners = owners(&read);
        service.store.read_tenants(&mut read, &owners).await?;
        Ok(read)
    }
}
