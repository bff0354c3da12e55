//! Sweeps over a table that fails, and over work items that cannot be read: what was done is reported, what is left
//! is found again, and no sweep runs forever.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use imageshare::App;
use imageshare::domain::{ImageId, Job, JobId, JobStatus, Limits, Outcome, Stamp, Status, Task, Timestamp};
use imageshare::store::{OPEN_SHARDS, Store, StoreError, WorkItemKey};
use imageshare::table::{
    AttributeValue, BatchRead, Key, Page, Query, ReadOutput, Table, TableError, TableFuture,
    TransactionToken, Write, WriteOutput,
};
use imageshare::usecases::{SweepReport, execute, sweep};
use imageshare_local::table::TableLane;
use imageshare_tests::local_service::{LocalService, tenant};

/// A table that cannot list some shards of open work.
struct PartialTable {
    table: TableLane,
    /// The shards whose list fails.
    fails_shard: fn(shard: &str) -> bool,
    /// Whether a transaction is the last call with a response, as when the caller's deadline passes.
    closes_after_transaction: bool,
    is_closed: AtomicBool,
}

impl fmt::Debug for PartialTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unlisted").finish_non_exhaustive()
    }
}

impl PartialTable {
    async fn unless_closed<T>(&self, call: TableFuture<'_, T>) -> Result<T, TableError> {
        if self.is_closed.load(Ordering::SeqCst) { Err(closed_error()) } else { call.await }
    }
}

fn closed_error() -> TableError {
    TableError::Closed("no time is left".to_owned())
}

impl Table for PartialTable {
    fn get_item<'a>(&'a self, key: &'a Key) -> TableFuture<'a, ReadOutput> {
        Box::pin(self.unless_closed(self.table.get_item(key)))
    }

    fn batch_get_item<'a>(&'a self, read: &'a BatchRead) -> TableFuture<'a, ReadOutput> {
        Box::pin(self.unless_closed(self.table.batch_get_item(read)))
    }

    fn query<'a>(&'a self, query: &'a Query) -> TableFuture<'a, Page> {
        let shard = query.values.iter().find(|(name, _)| *name == ":shard");
        let shard = shard.and_then(|(_, value)| value.as_s().ok()).map_or("", |shard| shard.as_str());
        if (self.fails_shard)(shard) {
            return Box::pin(async { Err(closed_error()) });
        }
        Box::pin(self.unless_closed(self.table.query(query)))
    }

    fn write_item<'a>(&'a self, write: &'a Write) -> TableFuture<'a, WriteOutput> {
        Box::pin(self.unless_closed(self.table.write_item(write)))
    }

    fn transact_write_items<'a>(
        &'a self,
        writes: &'a [Write],
        token: TransactionToken,
    ) -> TableFuture<'a, WriteOutput> {
        Box::pin(async move {
            let written = self.unless_closed(self.table.transact_write_items(writes, token)).await?;
            self.is_closed.store(self.closes_after_transaction, Ordering::SeqCst);
            Ok(written)
        })
    }
}

/// The same service over a table that cannot list these shards.
fn service_with_failing_shards(
    world: &LocalService,
    shards: fn(&str) -> bool,
    closes_after_transaction: bool,
) -> App {
    let table = PartialTable {
        table: world.table.clone(),
        fails_shard: shards,
        closes_after_transaction,
        is_closed: AtomicBool::new(false),
    };
    App { store: Store::new(table, world.service.clock().clone()), ..world.service.clone() }
}

/// A moment that no test reaches.
fn far_deadline() -> Timestamp {
    Timestamp::now().plus(Duration::from_hours(1))
}

fn job_with_age(age: Duration, task: Task, images: Vec<ImageId>, tenants: usize) -> Job {
    let id = JobId(Stamp::first_of(Timestamp::now().minus(age)));
    let tenants = (0..tenants).map(|number| tenant(&format!("t{number}"))).collect();
    let (accepted, queues) = (id.0.time(), Vec::new());
    Job {
        id,
        creator: tenant("owner"),
        task,
        images,
        tenants,
        accepted_at: accepted,
        queues,
        may_repeat: false,
    }
}

/// Overdue jobs, one in each shard of the open work.
async fn queue_job_in_each_shard(world: &LocalService, image: &ImageId) -> Vec<JobId> {
    let mut ids = Vec::new();
    for shard in 0..OPEN_SHARDS {
        let job = job_with_age(Duration::from_mins(2), Task::Share, vec![image.clone()], 1);
        let mut id = job.id.to_string();
        id.pop();
        let id: JobId = format!("{id}{shard}").parse().unwrap();
        let job = Job { id, tenants: vec![tenant(&format!("s{shard}"))], ..job };
        world.queue_job(&job).await;
        ids.push(id);
    }
    ids
}

#[tokio::test]
async fn sweep_executes_listable_shards_and_counts_the_others() {
    let world = LocalService::start(Limits::default());
    let image = world.create_image("owner").await;
    let ids = queue_job_in_each_shard(&world, &image).await;
    let swept = sweep(&service_with_failing_shards(&world, |shard| shard == "W#2", false), far_deadline())
        .await
        .unwrap();
    let oldest = ids.iter().enumerate().filter(|(shard, _)| *shard != 2).map(|(_, id)| id.0.time()).min();
    assert_eq!(swept, SweepReport { executed: 3, unlisted_shards: 1, oldest, ..SweepReport::default() });
    assert_eq!(world.job_report(ids[2]).await.status(), JobStatus::Init);
    let swept = sweep(&world.service, far_deadline()).await.unwrap();
    let oldest = Some(ids[2].0.time());
    assert_eq!(swept, SweepReport { executed: 1, oldest, ..SweepReport::default() });
    assert_eq!(world.job_report(ids[2]).await.status(), JobStatus::Success);
}

#[tokio::test]
async fn sweep_out_of_time_reports_partial_progress() {
    let world = LocalService::start(Limits::default());
    let image = world.create_image("owner").await;
    queue_job_in_each_shard(&world, &image).await;
    let swept = sweep(&service_with_failing_shards(&world, |_| false, true), far_deadline()).await.unwrap();
    let oldest = swept.oldest;
    assert_eq!(swept, SweepReport { executed: 1, unlisted_shards: 3, oldest, ..SweepReport::default() });
    assert_eq!(world.open_work_items().await.len(), 3);
    let swept = sweep(&world.service, Timestamp::now()).await.unwrap();
    assert_eq!(swept, SweepReport { unlisted_shards: 4, ..SweepReport::default() });
    assert_eq!(world.open_work_items().await.len(), 3);
}

#[tokio::test]
async fn sweep_without_a_listable_shard_fails() {
    let world = LocalService::start(Limits::default());
    let failed = sweep(&service_with_failing_shards(&world, |_| true, false), far_deadline()).await;
    assert_eq!(failed, Err(StoreError::Unavailable("no time is left".to_owned())));
}

/// Overwrites an attribute of a job or of its work item with an invalid text.
async fn corrupt(world: &LocalService, key: WorkItemKey, attribute: &'static str) {
    let bad = Write::update(key.primary_key(), "SET #damaged = :bad").name("#damaged", attribute);
    let bad = bad.value(":bad", AttributeValue::S("damaged".to_owned()));
    world.table.write_item(&bad).await.unwrap();
}

async fn read_attribute(world: &LocalService, key: WorkItemKey, attribute: &str) -> Option<AttributeValue> {
    world.table.get_item(&key.primary_key()).await.unwrap().items.remove(0).remove(attribute)
}

/// Sweeps until the attempts are used up: the last sweep fails one work item, and a further one finds nothing.
async fn sweep_until_failed(world: &LocalService) {
    for _ in 0..10 {
        let swept = sweep(&world.service, far_deadline()).await.unwrap();
        assert_eq!((swept.failed, swept.remaining), (0, 1));
    }
    assert_eq!(sweep(&world.service, far_deadline()).await.unwrap().failed, 1);
    assert!(world.open_work_items().await.is_empty());
    assert_eq!(sweep(&world.service, far_deadline()).await.unwrap(), SweepReport::default());
}

fn outcomes(report: &imageshare::domain::JobReport) -> Vec<Outcome> {
    report.outcomes().map(|(_, _, outcome)| outcome).collect()
}

#[tokio::test]
async fn unreadable_work_item_leaves_the_index_and_its_job_fails() {
    for damaged in ["first", "pairs", "outcomes"] {
        let world = LocalService::start(Limits::default());
        let image = world.create_image("owner").await;
        let job = job_with_age(Duration::from_mins(2), Task::Share, vec![image], 2);
        world.queue_job(&job).await;
        let key = world.open_work_items().await[0];
        corrupt(&world, key, damaged).await;
        sweep_until_failed(&world).await;
        let report = world.job_report(job.id).await;
        assert_eq!(
            (report.status(), outcomes(&report)),
            (JobStatus::Fail, vec![Outcome::RetriesExhausted; 2])
        );
        assert_eq!(read_attribute(&world, key, damaged).await, Some(AttributeValue::S("damaged".to_owned())));
    }
}

#[tokio::test]
async fn unreadable_work_item_does_not_hide_other_outcomes() {
    let world = LocalService::start(Limits::default());
    let image = world.create_image("owner").await;
    let job = job_with_age(Duration::from_mins(2), Task::Share, vec![image], 202);
    world.queue_job(&job).await;
    execute(&world.service, world.open_work_items().await[0]).await.unwrap();
    let second = world.open_work_items().await;
    assert_eq!(second.len(), 1, "created by the first work item");
    corrupt(&world, second[0], "pairs").await;
    sweep_until_failed(&world).await;
    let outcomes = outcomes(&world.job_report(job.id).await);
    assert_eq!(
        (outcomes[..200].to_vec(), outcomes[200..].to_vec()),
        (vec![Outcome::Done; 200], vec![Outcome::RetriesExhausted; 2])
    );
}

#[tokio::test]
async fn unreadable_job_leaves_the_index_and_has_no_report() {
    let world = LocalService::start(Limits::default());
    let image = world.create_image("owner").await;
    let job = job_with_age(Duration::from_mins(2), Task::Share, vec![image], 1);
    world.queue_job(&job).await;
    corrupt(&world, world.open_work_items().await[0], "job").await;
    sweep_until_failed(&world).await;
    assert_eq!(world.service.store.report(job.id).await, Err(StoreError::Unreadable("job")));
}

#[tokio::test]
async fn unreadable_respond_to_all_job_leaves_the_index_and_fails() {
    let world = LocalService::start(Limits::default());
    let task = Task::RespondToAll { status: Status::Accepted, vault: None, expected: 3 };
    let job = job_with_age(Duration::from_mins(2), task, Vec::new(), 1);
    world.queue_job(&job).await;
    corrupt(&world, world.open_work_items().await[0], "walked_to").await;
    sweep_until_failed(&world).await;
    let report = world.job_report(job.id).await;
    assert_eq!((report.status(), outcomes(&report)), (JobStatus::Fail, Vec::new()));
}

#[tokio::test]
async fn work_item_with_unreadable_attempts_fails_by_age() {
    for (age, given_up) in [(2, 0), (60, 1)] {
        let world = LocalService::start(Limits::default());
        let image = world.create_image("owner").await;
        let job = job_with_age(Duration::from_mins(age), Task::Share, vec![image], 1);
        world.queue_job(&job).await;
        corrupt(&world, world.open_work_items().await[0], "attempts").await;
        let swept = sweep(&world.service, far_deadline()).await.unwrap();
        assert_eq!((swept.failed, swept.remaining), (given_up, 1 - given_up));
        assert_eq!(world.open_work_items().await.len(), 1 - given_up);
    }
}

#[tokio::test]
async fn work_item_without_a_job_leaves_the_index() {
    let world = LocalService::start(Limits::default());
    let image = world.create_image("owner").await;
    let job = job_with_age(Duration::from_mins(2), Task::Share, vec![image], 202);
    world.queue_job(&job).await;
    let keys = world.open_work_items().await;
    world.table.write_item(&Write::delete(WorkItemKey { number: 0, ..keys[0] }.primary_key())).await.unwrap();
    for _ in 0..11 {
        sweep(&world.service, far_deadline()).await.unwrap();
    }
    assert!(world.open_work_items().await.is_empty());
}

#[tokio::test]
async fn unreadable_work_item_does_not_stop_the_rest_of_its_job() {
    let world = LocalService::start(Limits::default());
    let image = world.create_image("owner").await;
    let job = job_with_age(Duration::from_mins(2), Task::Share, vec![image], 450);
    world.queue_job(&job).await;
    corrupt(&world, world.open_work_items().await[0], "outcomes").await;
    // Eleven for the first work item, and one for each of the others.
    for _ in 0..13 {
        sweep(&world.service, far_deadline()).await.unwrap();
    }
    let report = world.job_report(job.id).await;
    assert_eq!((report.done_count(), report.ended_at().is_some()), (450, true));
    let failed = report.failures().filter(|(_, _, outcome)| *outcome == Outcome::RetriesExhausted).count();
    assert_eq!(failed, 200, "the pairs of the unreadable work item");
}

/// The worker that ended a queue's active job was killed before it could activate the next one.
#[tokio::test]
async fn sweep_unblocks_a_held_job() {
    let world = LocalService::start(Limits::default());
    let (first, second) = (world.create_image("owner").await, world.create_image("owner").await);
    let [first, second] = [(first, 4), (second, 3)].map(|(image, minutes)| {
        let job = job_with_age(Duration::from_mins(minutes), Task::Share, vec![image], 201);
        Job { queues: vec![tenant("owner")], ..job }
    });
    world.queue_job(&first).await;
    world.queue_job(&second).await;
    let tenants = world.service.store.tenant(&tenant("owner")).await.unwrap();
    assert_eq!(tenants.queue.current.into_values().collect::<Vec<_>>(), [first.id]);
    // All of its work items end without the worker that would remove the job from the queue.
    let unqueued = Job { queues: Vec::new(), ..first.clone() };
    execute_without_dequeueing(&world, &unqueued).await;
    assert!(world.open_work_items().await.is_empty(), "the second job waits");
    sweep(&world.service, far_deadline()).await.unwrap();
    world.run_open_work().await;
    assert_eq!(world.job_report(second.id).await.status(), JobStatus::Success);
    assert!(world.service.store.tenant(&tenant("owner")).await.unwrap().queue.jobs.is_empty());
}

/// Executes a job whose item says that it is in no queue.
async fn execute_without_dequeueing(world: &LocalService, job: &Job) {
    let text = AttributeValue::S(serde_json::to_string(job).unwrap());
    let key = [("pk", format!("J#{}", job.id)), ("sk", "A".to_owned())];
    let key = key.map(|(name, text)| (name.to_owned(), AttributeValue::S(text))).into();
    let stored = world.table.get_item(&key).await.unwrap().items.remove(0)["job"].clone();
    for job in [text, stored] {
        let write = Write::update(key.clone(), "SET job = :job").value(":job", job);
        world.table.write_item(&write).await.unwrap();
        if !world.open_work_items().await.is_empty() {
            world.run_open_work().await;
        }
    }
}
