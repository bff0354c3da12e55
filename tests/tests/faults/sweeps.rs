//! Sweeps over a table that fails, and over pieces that cannot be read: what was done is reported, what is left is found
//! again, and nothing is swept for ever.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use imageshare::Service;
use imageshare::domain::{ImageId, Job, JobId, JobStatus, Limits, Outcome, Stamp, Status, Task, Timestamp};
use imageshare::store::{OPEN_SHARDS, PieceKey, Store, StoreError};
use imageshare::table::{
    Answer, AttributeValue, BatchRead, Failure, Found, Key, Page, Query, Table, Token, Write, Written,
};
use imageshare::usecases::{Swept, carry_out, sweep};
use imageshare_local::table::TableLane;
use imageshare_tests::service::{LocalService, tenant};

/// A table of which some shards of open work cannot be listed.
struct Unlisted {
    table: TableLane,
    /// Those whose list fails.
    shards: fn(shard: &str) -> bool,
    /// Whether a transaction is the last call that is answered, as where the caller's time ends.
    ends_after_transaction: bool,
    has_ended: AtomicBool,
}

impl fmt::Debug for Unlisted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unlisted").finish_non_exhaustive()
    }
}

impl Unlisted {
    async fn unless_ended<T>(&self, call: Answer<'_, T>) -> Result<T, Failure> {
        if self.has_ended.load(Ordering::SeqCst) { Err(closed()) } else { call.await }
    }
}

fn closed() -> Failure {
    Failure::Closed("no time is left".to_owned())
}

impl Table for Unlisted {
    fn get_item<'a>(&'a self, key: &'a Key) -> Answer<'a, Found> {
        Box::pin(self.unless_ended(self.table.get_item(key)))
    }

    fn batch_get_item<'a>(&'a self, read: &'a BatchRead) -> Answer<'a, Found> {
        Box::pin(self.unless_ended(self.table.batch_get_item(read)))
    }

    fn query<'a>(&'a self, query: &'a Query) -> Answer<'a, Page> {
        let shard = query.values.iter().find(|(name, _)| *name == ":shard");
        let shard = shard.and_then(|(_, value)| value.as_s().ok()).map_or("", |shard| shard.as_str());
        if (self.shards)(shard) {
            return Box::pin(async { Err(closed()) });
        }
        Box::pin(self.unless_ended(self.table.query(query)))
    }

    fn write_item<'a>(&'a self, write: &'a Write) -> Answer<'a, Written> {
        Box::pin(self.unless_ended(self.table.write_item(write)))
    }

    fn transact_write_items<'a>(&'a self, writes: &'a [Write], token: Token) -> Answer<'a, Written> {
        Box::pin(async move {
            let written = self.unless_ended(self.table.transact_write_items(writes, token)).await?;
            self.has_ended.store(self.ends_after_transaction, Ordering::SeqCst);
            Ok(written)
        })
    }
}

/// The same service over a table of which those shards cannot be listed.
fn over(world: &LocalService, shards: fn(&str) -> bool, ends_after_transaction: bool) -> Service {
    let has_ended = AtomicBool::new(false);
    let table = Unlisted { table: world.table.clone(), shards, ends_after_transaction, has_ended };
    Service { store: Store::new(table, world.service.clock().clone()), ..world.service.clone() }
}

/// A moment that no test reaches.
fn never() -> Timestamp {
    Timestamp::now().plus(Duration::from_hours(1))
}

fn job_of(age: Duration, task: Task, images: Vec<ImageId>, tenants: usize) -> Job {
    let id = JobId(Stamp::first_of(Timestamp::now().minus(age)));
    let tenants = (0..tenants).map(|number| tenant(&format!("t{number}"))).collect();
    let (accepted, queues) = (id.0.time(), Vec::new());
    Job { id, creator: tenant("owner"), task, images, tenants, accepted, queues }
}

/// Overdue jobs, one in each shard of the open work.
async fn one_in_each_shard(world: &LocalService, image: &ImageId) -> Vec<JobId> {
    let mut ids = Vec::new();
    for shard in 0..OPEN_SHARDS {
        let job = job_of(Duration::from_mins(2), Task::Share, vec![image.clone()], 1);
        let mut id = job.id.to_string();
        id.pop();
        let id: JobId = format!("{id}{shard}").parse().unwrap();
        let job = Job { id, tenants: vec![tenant(&format!("s{shard}"))], ..job };
        world.queue(&job).await;
        ids.push(id);
    }
    ids
}

#[tokio::test]
async fn sweep_reports_the_shards_that_it_could_list() {
    let world = LocalService::start(Limits::default());
    let image = world.image("owner").await;
    let ids = one_in_each_shard(&world, &image).await;
    let swept = sweep(&over(&world, |shard| shard == "W#2", false), never()).await.unwrap();
    assert_eq!(swept, Swept { carried_out: 3, unlisted_shards: 1, ..Swept::default() });
    assert_eq!(world.report(ids[2]).await.status(), JobStatus::Init);
    let swept = sweep(&world.service, never()).await.unwrap();
    assert_eq!(swept, Swept { carried_out: 1, ..Swept::default() });
    assert_eq!(world.report(ids[2]).await.status(), JobStatus::Success);
}

#[tokio::test]
async fn sweep_that_runs_out_of_time_reports_what_it_did() {
    let world = LocalService::start(Limits::default());
    let image = world.image("owner").await;
    one_in_each_shard(&world, &image).await;
    let swept = sweep(&over(&world, |_| false, true), never()).await.unwrap();
    assert_eq!(swept, Swept { carried_out: 1, unlisted_shards: 3, ..Swept::default() });
    assert_eq!(world.open_pieces().await.len(), 3);
    let swept = sweep(&world.service, Timestamp::now()).await.unwrap();
    assert_eq!(swept, Swept { unlisted_shards: 4, ..Swept::default() });
    assert_eq!(world.open_pieces().await.len(), 3);
}

#[tokio::test]
async fn sweep_that_lists_nothing_fails() {
    let world = LocalService::start(Limits::default());
    let failed = sweep(&over(&world, |_| true, false), never()).await;
    assert_eq!(failed, Err(StoreError::Unavailable("no time is left".to_owned())));
}

/// Overwrites an attribute of a job or of its piece with a text that is none of ours.
async fn damage(world: &LocalService, key: PieceKey, attribute: &'static str) {
    let bad = Write::update(key.table_key(), "SET #damaged = :bad").name("#damaged", attribute);
    let bad = bad.value(":bad", AttributeValue::S("damaged".to_owned()));
    world.table.write_item(&bad).await.unwrap();
}

async fn attribute(world: &LocalService, key: PieceKey, attribute: &str) -> Option<AttributeValue> {
    world.table.get_item(&key.table_key()).await.unwrap().items.remove(0).remove(attribute)
}

/// Sweeps until the attempts are used up: the last sweep gives one piece up, and a further one finds nothing.
async fn sweep_until_given_up(world: &LocalService) {
    for _ in 0..10 {
        let swept = sweep(&world.service, never()).await.unwrap();
        assert_eq!((swept.given_up, swept.left), (0, 1));
    }
    assert_eq!(sweep(&world.service, never()).await.unwrap().given_up, 1);
    assert!(world.open_pieces().await.is_empty());
    assert_eq!(sweep(&world.service, never()).await.unwrap(), Swept::default());
}

fn outcomes_of(report: &imageshare::domain::Report) -> Vec<Outcome> {
    report.outcomes().map(|(_, _, outcome)| outcome).collect()
}

#[tokio::test]
async fn unreadable_piece_leaves_the_index_and_its_job_fails() {
    for damaged in ["first", "pairs", "outcomes"] {
        let world = LocalService::start(Limits::default());
        let image = world.image("owner").await;
        let job = job_of(Duration::from_mins(2), Task::Share, vec![image], 2);
        world.queue(&job).await;
        let key = world.open_pieces().await[0];
        damage(&world, key, damaged).await;
        sweep_until_given_up(&world).await;
        let report = world.report(job.id).await;
        assert_eq!((report.status(), outcomes_of(&report)), (JobStatus::Fail, vec![Outcome::GaveUp; 2]));
        assert_eq!(attribute(&world, key, damaged).await, Some(AttributeValue::S("damaged".to_owned())));
    }
}

#[tokio::test]
async fn unreadable_piece_does_not_hide_what_the_others_did() {
    let world = LocalService::start(Limits::default());
    let image = world.image("owner").await;
    let job = job_of(Duration::from_mins(2), Task::Share, vec![image], 202);
    world.queue(&job).await;
    carry_out(&world.service, world.open_pieces().await[0]).await.unwrap();
    let second = world.open_pieces().await;
    assert_eq!(second.len(), 1, "the first piece has made it");
    damage(&world, second[0], "pairs").await;
    sweep_until_given_up(&world).await;
    let outcomes = outcomes_of(&world.report(job.id).await);
    assert_eq!(
        (outcomes[..200].to_vec(), outcomes[200..].to_vec()),
        (vec![Outcome::Done; 200], vec![Outcome::GaveUp; 2])
    );
}

#[tokio::test]
async fn unreadable_job_leaves_the_index_and_has_no_report() {
    let world = LocalService::start(Limits::default());
    let image = world.image("owner").await;
    let job = job_of(Duration::from_mins(2), Task::Share, vec![image], 1);
    world.queue(&job).await;
    damage(&world, world.open_pieces().await[0], "job").await;
    sweep_until_given_up(&world).await;
    assert_eq!(world.service.store.report(job.id).await, Err(StoreError::Unreadable("job")));
}

#[tokio::test]
async fn unreadable_answer_to_everything_leaves_the_index_and_fails() {
    let world = LocalService::start(Limits::default());
    let task = Task::RespondToAll { status: Status::Accepted, vault: None, expected: 3 };
    let job = job_of(Duration::from_mins(2), task, Vec::new(), 1);
    world.queue(&job).await;
    damage(&world, world.open_pieces().await[0], "walked_to").await;
    sweep_until_given_up(&world).await;
    let report = world.report(job.id).await;
    assert_eq!((report.status(), outcomes_of(&report)), (JobStatus::Fail, Vec::new()));
}

#[tokio::test]
async fn piece_whose_count_cannot_be_read_is_closed_by_its_age() {
    for (age, given_up) in [(2, 0), (60, 1)] {
        let world = LocalService::start(Limits::default());
        let image = world.image("owner").await;
        let job = job_of(Duration::from_mins(age), Task::Share, vec![image], 1);
        world.queue(&job).await;
        damage(&world, world.open_pieces().await[0], "attempts").await;
        let swept = sweep(&world.service, never()).await.unwrap();
        assert_eq!((swept.given_up, swept.left), (given_up, 1 - given_up));
        assert_eq!(world.open_pieces().await.len(), 1 - given_up);
    }
}

#[tokio::test]
async fn piece_whose_job_is_missing_leaves_the_index() {
    let world = LocalService::start(Limits::default());
    let image = world.image("owner").await;
    let job = job_of(Duration::from_mins(2), Task::Share, vec![image], 202);
    world.queue(&job).await;
    let keys = world.open_pieces().await;
    world.table.write_item(&Write::delete(PieceKey { number: 0, ..keys[0] }.table_key())).await.unwrap();
    for _ in 0..11 {
        sweep(&world.service, never()).await.unwrap();
    }
    assert!(world.open_pieces().await.is_empty());
}

#[tokio::test]
async fn unreadable_piece_does_not_end_its_lane() {
    let world = LocalService::start(Limits::default());
    let image = world.image("owner").await;
    let job = job_of(Duration::from_mins(2), Task::Share, vec![image], 450);
    world.queue(&job).await;
    damage(&world, world.open_pieces().await[0], "outcomes").await;
    // Eleven for the first piece, and one for each of the others.
    for _ in 0..13 {
        sweep(&world.service, never()).await.unwrap();
    }
    let report = world.report(job.id).await;
    assert_eq!((report.done(), report.ended().is_some()), (450, true));
    let failed = report.failures().filter(|(_, _, outcome)| *outcome == Outcome::GaveUp).count();
    assert_eq!(failed, 200, "the pairs of the piece that cannot be read");
}

/// The worker that ended the active job of a line was stopped before it could make the next one active.
#[tokio::test]
async fn held_job_is_made_active_by_a_sweep() {
    let world = LocalService::start(Limits::default());
    let (first, second) = (world.image("owner").await, world.image("owner").await);
    let [first, second] = [(first, 4), (second, 3)].map(|(image, minutes)| {
        let job = job_of(Duration::from_mins(minutes), Task::Share, vec![image], 201);
        Job { queues: vec![tenant("owner")], ..job }
    });
    world.queue(&first).await;
    world.queue(&second).await;
    let tenants = world.service.store.tenant(&tenant("owner")).await.unwrap();
    assert_eq!(tenants.queue.active.into_values().collect::<Vec<_>>(), [first.id]);
    // All of its pieces end past the worker that would take the job out of the queue.
    let unqueued = Job { queues: Vec::new(), ..first.clone() };
    end_without_dequeueing(&world, &unqueued).await;
    assert!(world.open_pieces().await.is_empty(), "the second job waits");
    sweep(&world.service, never()).await.unwrap();
    world.work().await;
    assert_eq!(world.report(second.id).await.status(), JobStatus::Success);
    assert!(world.service.store.tenant(&tenant("owner")).await.unwrap().queue.jobs.is_empty());
}

/// Carries out a job whose item says that it stands in no queue.
async fn end_without_dequeueing(world: &LocalService, job: &Job) {
    let text = AttributeValue::S(serde_json::to_string(job).unwrap());
    let key = [("pk", format!("J#{}", job.id)), ("sk", "A".to_owned())];
    let key = key.map(|(name, text)| (name.to_owned(), AttributeValue::S(text))).into();
    let kept = world.table.get_item(&key).await.unwrap().items.remove(0)["job"].clone();
    for job in [text, kept] {
        let write = Write::update(key.clone(), "SET job = :job").value(":job", job);
        world.table.write_item(&write).await.unwrap();
        if !world.open_pieces().await.is_empty() {
            world.work().await;
        }
    }
}
