//! A service on a table with conflicts, its requests, and its workers. What the tests ask of the service stands here alone.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashSet};
use std::fmt::Display;
use std::future::ready;
use std::time::Duration;

use futures_util::future::join_all;
use imageshare::Service;
use imageshare::domain::{Clock, ImageId, JobId, JobStatus, Limits, Outcome, Report, Status, TenantId};
use imageshare::store::{PieceKey, Store};
use imageshare::usecases::{self, Refusal};
use imageshare_tests::conflicting_table::{ConflictingTable, Latencies};
use imageshare_tests::direct_table::DirectTable;
use imageshare_tests::service::{LocalService, caller, tenant};
use imageshare_tests::sums;
use imageshare_tests::tell::tell;
use tokio::time::{Instant, sleep};

/// The wasted units that are allowed for each one that is used.
pub const WASTE: f64 = 0.05;

/// The seed of the random pauses where a test has no other.
const SEED: u64 = 10;

/// How long a worker without work waits before it looks again.
const IDLE: Duration = Duration::from_millis(10);

/// How often a work item may be begun before the test fails.
const ATTEMPTS: u32 = 20;

/// What is asked of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Batch {
    /// The owner shares.
    Share,
    /// The owner withdraws.
    Unshare,
    /// The only tenant answers.
    Respond(Status),
}

/// A service on a table with conflicts.
pub struct World {
    service: Service,
    table: ConflictingTable,
    /// The same table without latencies, conflicts and counts: for what stands before and after the test.
    behind: LocalService,
    begun: Instant,
    given_up: Cell<u32>,
}

impl World {
    /// A service on an empty table.
    pub fn start(limits: Limits) -> Self {
        Self::start_from(SEED, limits)
    }

    /// A service on an empty table, whose random pauses are those of that seed.
    pub fn start_from(seed: u64, limits: Limits) -> Self {
        fastrand::seed(seed);
        let behind = LocalService::start_through(limits, DirectTable::new);
        let table = ConflictingTable::new(DirectTable::new(behind.table.clone()), Latencies::default());
        let service =
            Service { store: Store::new(table.clone(), Clock::of_server()), ..behind.service.clone() };
        Self { service, table, behind, begun: Instant::now(), given_up: Cell::new(0) }
    }

    /// Images that their owner has not shared yet.
    pub async fn images(&self, owner: &str, number: usize) -> Vec<ImageId> {
        let mut images = Vec::new();
        for _ in 0..number {
            images.push(self.behind.image(owner).await);
        }
        images
    }

    /// Shares an image with tenants, as it stands before the test.
    pub async fn shared_before(&self, owner: &str, image: &ImageId, tenants: &[TenantId]) {
        for some in tenants.chunks(100) {
            let images = vec![image.clone()];
            usecases::share(&self.behind.service, &caller(owner), images, some.to_vec(), None).await.unwrap();
            self.behind.work().await;
        }
    }

    /// Gives a member's answer to an image, as it stands before the test.
    pub async fn answered_before(&self, image: &ImageId, tenant: &TenantId, status: Status) {
        let (caller, answer) = (caller(tenant.as_str()), (Ok(status), None));
        usecases::answer_as_member(&self.behind.service, &caller, image, tenant, answer).await.unwrap();
    }

    /// Makes a batch request, which must be accepted.
    pub async fn batch(
        &self,
        project: &str,
        batch: Batch,
        images: &[ImageId],
        tenants: &[TenantId],
    ) -> JobId {
        let (service, caller) = (&self.service, &caller(project));
        let (images, tenants) = (images.to_vec(), tenants.to_vec());
        let job = match batch {
            Batch::Share => usecases::share(service, caller, images, tenants, None).await,
            Batch::Unshare => usecases::unshare(service, caller, images, tenants, None).await,
            Batch::Respond(status) => {
                let recipient = tenants.into_iter().next().unwrap();
                usecases::respond(service, caller, recipient, images, (status, None), None).await
            }
        };
        job.unwrap_or_else(|refusal| panic!("{project} {batch:?}: {refusal}"))
    }

    /// Adds a member at once.
    pub async fn add_member(&self, owner: &str, image: &ImageId, tenant: &TenantId) {
        let added = usecases::add_member(&self.service, &caller(owner), image, tenant).await;
        self.ended(added.map(drop));
    }

    /// Gives a member's answer at once.
    pub async fn answer(&self, image: &ImageId, tenant: &TenantId, status: Status) {
        let (caller, answer) = (caller(tenant.as_str()), (Ok(status), None));
        let answered = usecases::answer_as_member(&self.service, &caller, image, tenant, answer).await;
        self.ended(answered.map(drop));
    }

    fn ended(&self, change: Result<(), Refusal>) {
        match change {
            Ok(()) => {}
            Err(Refusal::Store(_) | Refusal::Contended(_)) => self.given_up.set(self.given_up.get() + 1),
            Err(refusal) => panic!("{refusal}"),
        }
    }

    /// Carries out all that is open, with so many workers side by side.
    pub async fn work(&self, workers: usize) {
        self.work_beside(workers, ready(())).await;
    }

    /// Carries out what is open, with so many workers side by side, until the requests are made and nothing is open any more.
    pub async fn work_beside<T>(&self, workers: usize, requests: impl Future<Output = T>) -> T {
        let queue = Queue::default();
        queue.busy.set(1);
        let requests = async {
            let made = requests.await;
            queue.busy.set(queue.busy.get() - 1);
            made
        };
        let workers = join_all((0..workers).map(|_| self.worker(&queue)));
        tokio::join!(requests, workers).0
    }

    async fn worker(&self, queue: &Queue) {
        loop {
            match queue.next(self.behind.open_pieces().await) {
                Some(key) => {
                    let ended = usecases::carry_out(&self.service, key).await;
                    self.given_up.set(self.given_up.get() + u32::from(ended.is_err()));
                    queue.finish(key);
                }
                None if queue.busy.get() == 0 => return,
                None => sleep(IDLE).await,
            }
        }
    }

    /// A job and what became of it.
    pub async fn report(&self, job: JobId) -> Report {
        self.behind.report(job).await
    }

    /// Demands that a job has done all of its pairs.
    pub async fn expect_done(&self, job: JobId, pairs: usize) {
        let report = self.report(job).await;
        let failures: Vec<_> = report.failures().take(3).collect();
        assert_eq!((report.status(), report.done()), (JobStatus::Success, pairs), "{failures:?}");
    }

    /// Demands that a tenant's membership of an image is that one; `None` for no member.
    pub async fn expect_member(&self, image: &ImageId, tenant: &TenantId, status: Option<Status>) {
        let (_, member) = self.behind.service.store.image_and_member(image, tenant).await.unwrap();
        assert_eq!(member.map(|member| member.status), status, "{tenant} of {image}");
    }

    /// Demands that an image has so many members, by its count and by its memberships.
    pub async fn expect_members(&self, image: &ImageId, number: u32) {
        assert_eq!(self.behind.member_count(image).await, number);
        let recipients = self.behind.service.store.recipients(image).await.unwrap();
        assert_eq!(recipients.tenants.len(), usize::try_from(number).unwrap());
    }

    /// Demands that every sum is that of the memberships.
    pub fn expect_sums(&self) {
        sums::hold(&self.behind.embedded);
    }

    /// How many calls have conflicted so far.
    pub fn conflicts(&self) -> u32 {
        self.table.report().writes().conflicts
    }

    /// How many calls were not made so far since something had changed under them.
    pub fn stale(&self) -> u32 {
        self.table.report().writes().stale
    }

    /// Prints what the test has used.
    pub fn tell(&self, what: &dyn Display) {
        let (took, given_up) = (self.begun.elapsed(), self.given_up.get());
        tell(&format_args!("{what}: {took:.2?} virtual, {given_up} given up; {}", self.table.report()));
    }

    /// Demands that nothing was given up: no request, and no work item of a worker.
    pub fn expect_nothing_given_up(&self) {
        assert_eq!(self.given_up.get(), 0, "given up");
    }

    /// Demands that few units were wasted.
    pub fn expect_little_waste(&self) {
        let waste = self.table.report().waste();
        assert!(waste < WASTE, "{:.1} % of the used units were wasted", 100.0 * waste);
    }
}

/// The open work items that workers have taken.
#[derive(Default)]
struct Queue {
    taken: RefCell<HashSet<PieceKey>>,
    begun: RefCell<BTreeMap<PieceKey, u32>>,
    /// Workers that carry something out, and requests that are being made.
    busy: Cell<usize>,
}

impl Queue {
    /// Takes the first that nobody has taken.
    fn next(&self, open: Vec<PieceKey>) -> Option<PieceKey> {
        let mut taken = self.taken.borrow_mut();
        let key = open.into_iter().find(|key| !taken.contains(key))?;
        taken.insert(key);
        let mut begun = self.begun.borrow_mut();
        let times = begun.entry(key).or_default();
        *times += 1;
        assert!(*times <= ATTEMPTS, "{key:?} is still open after {ATTEMPTS} attempts");
        self.busy.set(self.busy.get() + 1);
        Some(key)
    }

    fn finish(&self, key: PieceKey) {
        self.taken.borrow_mut().remove(&key);
        self.busy.set(self.busy.get() - 1);
    }
}

/// So many tenants.
pub fn tenants(number: usize) -> Vec<TenantId> {
    (0..number).map(|number| tenant(&format!("{number:032x}"))).collect()
}

/// How many pairs of a job had that outcome.
pub fn count(report: &Report, outcome: Outcome) -> usize {
    report.outcomes().filter(|(_, _, other)| *other == outcome).count()
}
