//! Several servers over one table: who executes what was left open, what they cost while idle, and that they agree on
//! their keys. On tokio's paused clock; the servers as processes are in `faults/several_servers.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use imageshare::auth::MasterKeys;
use imageshare::domain::{Bypass, Clock, JobStatus, Limits, Stamp, Task};
use imageshare::store::{ShardCheckpoint, Store};
use imageshare::table::Table;
use imageshare::{App, Settings};
use imageshare_local::dispatcher;
use imageshare_local::remote::open_work::{OpenWork, RecordingTable, RemoteWorker};
use imageshare_local::remote::{RemoteError, check_master_keys};
use imageshare_local::table::{EmbeddedTable, Lane};
use imageshare_tests::blocking_table::BlockingTable;
use imageshare_tests::counting_table::{CallCounter, CountingTable};
use imageshare_tests::local_service::{job_at, queue_job, tenant};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// The background work of one server.
struct Server {
    /// The app of its requests.
    app: App,
    calls: CallCounter,
    dispatcher: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.dispatcher.abort();
    }
}

impl Server {
    async fn start(table: &EmbeddedTable) -> Self {
        let (counted, calls) = CountingTable::new(BlockingTable::new(table.lane(Lane::Worker)));
        let open_work = OpenWork::default();
        let app = app(RecordingTable::new(counted, open_work.clone()));
        let worker = RemoteWorker::new(app.clone(), open_work.clone());
        worker.take_up_open_work().await.unwrap();
        let dispatcher = tokio::spawn(async move {
            let (worker, notify) = (Arc::new(worker), open_work.notify());
            dispatcher::run(worker, &notify, "local".to_owned(), std::future::pending()).await;
        });
        Self { app, calls, dispatcher }
    }
}

fn app(table: impl Table + 'static) -> App {
    let settings = Settings {
        region: "local".to_owned(),
        public_url: None,
        directory_is_complete: false,
        limits: Limits::default(),
        waiting_reads: None,
    };
    App { store: Store::new(table, Clock::for_function()), settings: Arc::new(settings) }
}

/// An app of a server that has died: nothing executes the work that it opens.
fn dead_server(table: &EmbeddedTable) -> App {
    app(BlockingTable::new(table.lane(Lane::Request)))
}

/// Queues a job for that many images, which do not exist, and tenants.
async fn queue(app: &App, images: usize, tenants: usize) -> imageshare::domain::JobId {
    let images = (0..images).map(|number| format!("image-{number}").parse().unwrap()).collect();
    let tenants = (0..tenants).map(|number| tenant(&format!("guest-{number}"))).collect();
    let job = job_at(Stamp::first_of(app.clock().now()), "owner", Task::Share, images, tenants);
    queue_job(app, &job).await;
    job.id
}

async fn wait_for_end(app: &App, job: imageshare::domain::JobId) -> JobStatus {
    loop {
        let report = app.store.report(job).await.unwrap().unwrap().bypass(Bypass::Test);
        if report.ended_at().is_some() {
            return report.status();
        }
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn server_executes_at_once_what_it_has_opened() {
    let table = EmbeddedTable::open(None).unwrap();
    let server = Server::start(&table).await;
    let job = queue(&server.app, 25, 100).await;
    let ended = timeout(Duration::from_secs(30), wait_for_end(&dead_server(&table), job)).await;
    // A sweep would not execute it before it is a minute old.
    assert_eq!(ended.expect("without a sweep"), JobStatus::Fail, "its images do not exist");
}

#[tokio::test(start_paused = true)]
async fn work_of_a_dead_server_is_swept_by_another() {
    let table = EmbeddedTable::open(None).unwrap();
    let _servers = [Server::start(&table).await, Server::start(&table).await];
    let dead = dead_server(&table);
    let job = queue(&dead, 25, 100).await;
    let began = Instant::now();
    wait_for_end(&dead, job).await;
    // The work is overdue after a minute, and a sweep comes in each.
    assert!(began.elapsed() <= Duration::from_secs(130), "{:?}", began.elapsed());
    assert!(began.elapsed() >= Duration::from_secs(50), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn start_takes_up_what_was_left_open() {
    let table = EmbeddedTable::open(None).unwrap();
    let dead = dead_server(&table);
    let job = queue(&dead, 25, 100).await;
    let _server = Server::start(&table).await;
    timeout(Duration::from_secs(30), wait_for_end(&dead, job)).await.expect("without a sweep");
}

#[tokio::test(start_paused = true)]
async fn three_idle_servers_cost_one_sweep_a_minute() {
    let table = EmbeddedTable::open(None).unwrap();
    let mut servers = Vec::new();
    for _ in 0..3 {
        servers.push(Server::start(&table).await);
    }
    let used = |servers: &[Server]| -> u64 {
        servers.iter().map(|server| server.calls.calls_and_read_units().1).sum()
    };
    // The first poll of each, and the first sweep, are behind them.
    sleep(Duration::from_mins(2)).await;
    let before = used(&servers);
    sleep(Duration::from_hours(1)).await;
    let used = used(&servers) - before;
    // A sweep makes two queries for each of four shards, half a unit each; a turn lasts at least 50 seconds.
    assert!((4 * 55..=4 * 73).contains(&used), "{used} read units");
}

#[tokio::test]
async fn servers_with_other_keys_of_one_id_are_refused() {
    let table = EmbeddedTable::open(None).unwrap();
    let store = app(table.lane(Lane::Request)).store;
    let keys = |text: String| MasterKeys::parse(&text).unwrap();
    let (one, other) = ("A".repeat(43) + "=", "B".repeat(42) + "A=");
    check_master_keys(&store, &keys(format!("1:{one}"))).await.unwrap();
    check_master_keys(&store, &keys(format!("2:{other},1:{one}"))).await.unwrap();
    let refused = check_master_keys(&store, &keys(format!("1:{other}"))).await.unwrap_err();
    assert!(matches!(&refused, RemoteError::OtherMasterKey { id } if id == "1"), "{refused}");
}

#[tokio::test]
async fn one_server_holds_the_lease_until_it_ends_or_is_returned() {
    let table = EmbeddedTable::open(None).unwrap();
    let store = dead_server(&table).store;
    let (minute, moment) = (Duration::from_mins(1), Duration::ZERO);
    assert!(store.hold_effects_lease("a", minute).await.unwrap());
    assert!(!store.hold_effects_lease("b", minute).await.unwrap());
    store.return_effects_lease("b").await.unwrap();
    assert!(!store.hold_effects_lease("b", minute).await.unwrap(), "it is not its own");
    assert!(store.hold_effects_lease("a", minute).await.unwrap(), "it is renewed");
    store.return_effects_lease("a").await.unwrap();
    assert!(store.hold_effects_lease("b", moment).await.unwrap());
    assert!(store.hold_effects_lease("a", minute).await.unwrap(), "the other one has ended");
}

#[tokio::test]
async fn checkpoints_say_how_far_each_shard_is_handled() {
    let table = EmbeddedTable::open(None).unwrap();
    let store = dead_server(&table).store;
    assert!(store.shard_checkpoints().await.unwrap().is_empty());
    let handled = |number: &str| ShardCheckpoint::Handled(number.to_owned());
    for (shard, checkpoint) in
        [("s-1", handled("100")), ("s-2", handled("7")), ("s-1", ShardCheckpoint::Finished)]
    {
        store.put_shard_checkpoint(shard, &checkpoint).await.unwrap();
    }
    let expected = [("s-1", ShardCheckpoint::Finished), ("s-2", handled("7"))];
    let expected: BTreeMap<_, _> = expected.map(|(shard, checkpoint)| (shard.to_owned(), checkpoint)).into();
    assert_eq!(store.shard_checkpoints().await.unwrap(), expected);
    store.remove_shard_checkpoint("s-1").await.unwrap();
    assert_eq!(store.shard_checkpoints().await.unwrap().len(), 1);
}
