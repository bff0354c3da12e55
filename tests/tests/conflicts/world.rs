//! A service on a table with conflicts, its requests and its workers. All calls of the service are here.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashSet};
use std::fmt::Display;
use std::future::ready;
use std::time::Duration;

use futures_util::future::join_all;
use imageshare::App;
use imageshare::domain::{Clock, ImageId, JobId, JobReport, JobStatus, Limits, Outcome, Status, TenantId};
use imageshare::store::{Store, WorkItemKey};
use imageshare::usecases::{self, UseCaseError};
use imageshare_tests::blocking_table::BlockingTable;
use imageshare_tests::conflicting_table::{ConflictingTable, Latencies};
use imageshare_tests::local_service::{LocalService, caller, tenant};
use imageshare_tests::notice::print_notice;
use imageshare_tests::totals;
use tokio::time::{Instant, sleep};

/// The allowed number of wasted units per used one.
pub const MAX_WASTE: f64 = 0.05;

/// The default seed of the random pauses.
const DEFAULT_SEED: u64 = 10;

/// How long an idle worker waits before it looks for work again.
const IDLE_POLL_INTERVAL: Duration = Duration::from_millis(10);

/// How often a work item may be started before the test fails.
const MAX_ATTEMPTS: u32 = 20;

/// What a batch does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchOperation {
    /// The owner shares.
    Share,
    /// The owner unshares.
    Unshare,
    /// The only tenant decides.
    Respond(Status),
}

/// A service on a table with conflicts.
pub struct World {
    service: App,
    table: ConflictingTable,
    /// The same table without latencies, conflicts and counts, for what happens before and after the test.
    direct: LocalService,
    started_at: Instant,
    failed_count: Cell<u32>,
}

impl World {
    /// Starts a service on an empty table.
    pub fn start(limits: Limits) -> Self {
        Self::start_with_seed(DEFAULT_SEED, limits)
    }

    /// Starts a service on an empty table, with this seed of the random pauses.
    pub fn start_with_seed(seed: u64, limits: Limits) -> Self {
        fastrand::seed(seed);
        let behind = LocalService::start_with_table(limits, BlockingTable::new);
        let table = ConflictingTable::new(BlockingTable::new(behind.table.clone()), Latencies::default());
        let service = App { store: Store::new(table.clone(), Clock::for_server()), ..behind.service.clone() };
        Self { service, table, direct: behind, started_at: Instant::now(), failed_count: Cell::new(0) }
    }

    /// Registers images, not shared yet.
    pub async fn create_images(&self, owner: &str, number: usize) -> Vec<ImageId> {
        let mut images = Vec::new();
        for _ in 0..number {
            images.push(self.direct.create_image(owner).await);
        }
        images
    }

    /// Shares an image with tenants before the test.
    pub async fn share_before_test(&self, owner: &str, image: &ImageId, tenants: &[TenantId]) {
        for some in tenants.chunks(100) {
            let images = vec![image.clone()];
            usecases::share(&self.direct.service, &caller(owner), images, some.to_vec(), None).await.unwrap();
            self.direct.run_open_work().await;
        }
    }

    /// Makes a member's decision before the test.
    pub async fn decide_before_test(&self, image: &ImageId, tenant: &TenantId, status: Status) {
        let (caller, response) = (caller(tenant.as_str()), (Ok(status), None));
        usecases::decide_as_member(&self.direct.service, &caller, image, tenant, response).await.unwrap();
    }

    /// Makes a batch request, which must be accepted.
    pub async fn submit_batch(
        &self,
        project: &str,
        batch: BatchOperation,
        images: &[ImageId],
        tenants: &[TenantId],
    ) -> JobId {
        let (service, caller) = (&self.service, &caller(project));
        let (images, tenants) = (images.to_vec(), tenants.to_vec());
        let job = match batch {
            BatchOperation::Share => usecases::share(service, caller, images, tenants, None).await,
            BatchOperation::Unshare => usecases::unshare(service, caller, images, tenants, None).await,
            BatchOperation::Respond(status) => {
                let recipient = tenants.into_iter().next().unwrap();
                usecases::respond(service, caller, recipient, images, (status, None), None).await
            }
        };
        job.unwrap_or_else(|refusal| panic!("{project} {batch:?}: {refusal}"))
    }

    /// Adds a member immediately.
    pub async fn add_member(&self, owner: &str, image: &ImageId, tenant: &TenantId) {
        let added = usecases::add_member(&self.service, &caller(owner), image, tenant, None).await;
        self.record_result(added.map(drop));
    }

    /// Makes a member's decision immediately.
    pub async fn decide(&self, image: &ImageId, tenant: &TenantId, status: Status) {
        let (caller, response) = (caller(tenant.as_str()), (Ok(status), None));
        let answered = usecases::decide_as_member(&self.service, &caller, image, tenant, response).await;
        self.record_result(answered.map(drop));
    }

    fn record_result(&self, change: Result<(), UseCaseError>) {
        match change {
            Ok(()) => {}
            Err(UseCaseError::Store(_) | UseCaseError::Conflict(_)) => {
                self.failed_count.set(self.failed_count.get() + 1);
            }
            Err(refusal) => panic!("{refusal}"),
        }
    }

    /// Executes all open work, with this many concurrent workers.
    pub async fn run_workers(&self, workers: usize) {
        self.run_workers_during(workers, ready(())).await;
    }

    /// Executes open work, with this many concurrent workers, until the requests are made and nothing is open.
    pub async fn run_workers_during<T>(&self, workers: usize, requests: impl Future<Output = T>) -> T {
        let queue = WorkQueue::default();
        queue.busy.set(1);
        let requests = async {
            let made = requests.await;
            queue.busy.set(queue.busy.get() - 1);
            made
        };
        let workers = join_all((0..workers).map(|_| self.run_worker(&queue)));
        tokio::join!(requests, workers).0
    }

    async fn run_worker(&self, queue: &WorkQueue) {
        loop {
            match queue.next(self.direct.open_work_items().await) {
                Some(key) => {
                    let ended = usecases::execute(&self.service, key).await;
                    self.failed_count.set(self.failed_count.get() + u32::from(ended.is_err()));
                    queue.finish(key);
                }
                None if queue.busy.get() == 0 => return,
                None => sleep(IDLE_POLL_INTERVAL).await,
            }
        }
    }

    /// A job and its outcomes.
    pub async fn report(&self, job: JobId) -> JobReport {
        self.direct.job_report(job).await
    }

    /// Asserts that a job has succeeded for all of its pairs.
    pub async fn expect_done(&self, job: JobId, pairs: usize) {
        let report = self.report(job).await;
        let failures: Vec<_> = report.failures().take(3).collect();
        assert_eq!((report.status(), report.done_count()), (JobStatus::Success, pairs), "{failures:?}");
    }

    /// Asserts the status of a membership; `None` for no member.
    pub async fn expect_status(&self, image: &ImageId, tenant: &TenantId, status: Option<Status>) {
        let (_, member) = self.direct.service.store.image_and_member(image, tenant).await.unwrap();
        assert_eq!(member.map(|member| member.status), status, "{tenant} of {image}");
    }

    /// Asserts the member count of an image, both as stored and as counted.
    pub async fn expect_member_count(&self, image: &ImageId, number: u32) {
        assert_eq!(self.direct.member_count(image).await, number);
        let recipients = self.direct.service.store.recipients(image).await.unwrap();
        assert_eq!(recipients.tenants.len(), usize::try_from(number).unwrap());
    }

    /// Asserts that every counter is right.
    pub fn expect_consistent_sums(&self) {
        totals::assert_consistent(&self.direct.embedded);
    }

    /// The number of conflicts so far.
    pub fn conflicts(&self) -> u32 {
        self.table.report().writes().conflicts
    }

    /// The number of calls so far whose condition failed, since something had changed in between.
    pub fn condition_failures(&self) -> u32 {
        self.table.report().writes().failed_conditions
    }

    /// Prints what the test has used.
    pub fn print_usage(&self, what: &dyn Display) {
        let (took, given_up) = (self.started_at.elapsed(), self.failed_count.get());
        print_notice(&format_args!(
            "{what}: {took:.2?} virtual, {given_up} given up; {}",
            self.table.report()
        ));
    }

    /// Asserts that no request and no work item was given up.
    pub fn expect_no_failures(&self) {
        assert_eq!(self.failed_count.get(), 0, "given up");
    }

    /// Asserts that few units were wasted.
    pub fn expect_low_waste(&self) {
        let waste = self.table.report().waste_ratio();
        assert!(waste < MAX_WASTE, "{:.1} % of the used units were wasted", 100.0 * waste);
    }
}

/// The open work items, and those that workers have taken.
#[derive(Default)]
struct WorkQueue {
    taken: RefCell<HashSet<WorkItemKey>>,
    attempts: RefCell<BTreeMap<WorkItemKey, u32>>,
    /// The number of workers that execute something and of requests in progress.
    busy: Cell<usize>,
}

impl WorkQueue {
    /// Takes the first work item that is free.
    fn next(&self, open: Vec<WorkItemKey>) -> Option<WorkItemKey> {
        let mut taken = self.taken.borrow_mut();
        let key = open.into_iter().find(|key| !taken.contains(key))?;
        taken.insert(key);
        let mut begun = self.attempts.borrow_mut();
        let times = begun.entry(key).or_default();
        *times += 1;
        assert!(*times <= MAX_ATTEMPTS, "{key:?} is still open after {MAX_ATTEMPTS} attempts");
        self.busy.set(self.busy.get() + 1);
        Some(key)
    }

    fn finish(&self, key: WorkItemKey) {
        self.taken.borrow_mut().remove(&key);
        self.busy.set(self.busy.get() - 1);
    }
}

/// This many tenants.
pub fn tenants(number: usize) -> Vec<TenantId> {
    (0..number).map(|number| tenant(&format!("{number:032x}"))).collect()
}

/// The number of a job's pairs with this outcome.
pub fn outcome_count(report: &JobReport, outcome: Outcome) -> usize {
    report.outcomes().filter(|(_, _, other)| *other == outcome).count()
}
