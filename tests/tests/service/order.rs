//! A request made after the response to another one is later than it, whatever the clocks say: a server whose clock
//! is set back between two lives, and functions whose clocks differ.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use imageshare::domain::{
    Bypass, Clock, Details, ImageId, JobId, JobStatus, Limits, MAX_FUNCTION_SKEW, Outcome, PermissionChange,
    Status, TenantId, Timestamp, Visibility,
};
use imageshare::store::{OPEN_SHARDS, Store};
use imageshare::usecases::{self, NewImage};
use imageshare::{App, Settings};
use imageshare_local::cli::{self, Command};
use imageshare_local::clock_keeper::ClockKeeper;
use imageshare_local::server::Server;
use imageshare_local::table::{EmbeddedTable, Lane};
use imageshare_tests::blocking_table::BlockingTable;
use imageshare_tests::local_service::{caller, tenant};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, advance, sleep};

const OWNER: &str = "owner";
const MEMBER: &str = "member";

/// How far the clock is set back.
const SETBACKS: [Duration; 2] = [Duration::from_secs(2), Duration::from_hours(1)];

/// The tenants of a batch besides the member: of one that is executed at once, of one that is queued, and of one
/// whose work items are created one after the other.
const OTHER_RECIPIENTS: [usize; 3] = [0, 120, 220];

/// How a life of the server ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Shutdown {
    Graceful,
    /// Killed, and restarted immediately.
    Killed,
    /// Killed, and restarted three seconds later.
    KilledLater,
}

/// One life of a server, from its start to its end.
struct ServerRun {
    service: App,
    table: EmbeddedTable,
    time_keeper: Arc<ClockKeeper>,
    stop: oneshot::Sender<()>,
    keeper_task: JoinHandle<()>,
}

impl ServerRun {
    /// Starts a server on a table, on a machine whose clock shows this time.
    async fn start(data: &Path, moment: Timestamp) -> Self {
        let table = EmbeddedTable::open(Some(data)).unwrap();
        let service = start_service(&table, clock_at(moment, Duration::ZERO));
        let time = Arc::new(ClockKeeper::resume(service.store.clone()).await.unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let keeper = Arc::clone(&time);
        let keeping = tokio::spawn(async move { keeper.run(async { drop(stopped.await) }).await });
        time.begin_request().await;
        Self { service, table, time_keeper: time, stop, keeper_task: keeping }
    }

    async fn shut_down(self, end: Shutdown) {
        match end {
            Shutdown::Graceful => {
                self.stop.send(()).unwrap();
                self.keeper_task.await.unwrap();
            }
            Shutdown::Killed => self.keeper_task.abort(),
            Shutdown::KilledLater => {
                for _ in 0..30 {
                    advance(Duration::from_millis(100)).await;
                }
                self.keeper_task.abort();
            }
        }
        self.table.close().await;
    }
}

/// A machine's clock that shows this time now.
fn clock_at(moment: Timestamp, skew: Duration) -> Clock {
    let started = Instant::now();
    Clock::new(move || moment.plus(started.elapsed()), skew)
}

fn start_service(table: &EmbeddedTable, clock: Clock) -> App {
    let settings = Settings {
        region: "local".to_owned(),
        public_url: None,
        directory_is_complete: false,
        limits: Limits::default(),
        waiting_reads: None,
    };
    let table = BlockingTable::new(table.lane(Lane::Request));
    App { store: Store::new(table, clock), settings: Arc::new(settings) }
}

/// The member, and this many others.
fn recipients(others: usize) -> Vec<TenantId> {
    let others = (0..others).map(|number| tenant(&format!("other-{number}")));
    [tenant(MEMBER)].into_iter().chain(others).collect()
}

async fn create_image(service: &App) -> ImageId {
    let new = NewImage { id: None, owner: None, visibility: Visibility::Shared, details: Details::default() };
    usecases::register_image(service, &caller(OWNER), new, None).await.unwrap().id
}

/// Shares or unshares an image by the batch call, and executes the job. Every pair must succeed.
async fn run_batch(service: &App, image: &ImageId, to: Vec<TenantId>, is_share: bool) {
    let (by, images) = (caller(OWNER), vec![image.clone()]);
    let job = if is_share {
        usecases::share(service, &by, images, to, None).await.unwrap()
    } else {
        usecases::unshare(service, &by, images, to, None).await.unwrap()
    };
    expect_success(service, job).await;
}

async fn respond(service: &App, image: &ImageId, status: Status) {
    let (by, images) = (caller(MEMBER), vec![image.clone()]);
    let job = usecases::respond(service, &by, tenant(MEMBER), images, (status, None), None).await.unwrap();
    expect_success(service, job).await;
}

async fn respond_to_all(service: &App, by: &str, status: Status) -> JobId {
    let job = usecases::respond_to_all(service, &caller(by), tenant(by), (status, None), None).await.unwrap();
    expect_success(service, job).await;
    job
}

async fn expect_success(service: &App, job: JobId) {
    run_open_work(service).await;
    let report = service.store.report(job).await.unwrap().unwrap().bypass(Bypass::Test);
    let others = report.outcomes().filter(|(_, _, outcome)| *outcome != Outcome::Done);
    assert_eq!((report.status(), others.collect()), (JobStatus::Success, Vec::<(&_, &_, _)>::new()));
}

async fn run_open_work(service: &App) {
    loop {
        let mut open = Vec::new();
        for shard in 0..OPEN_SHARDS {
            open.extend(service.store.open_work_items(shard, None, 1000).await.unwrap());
        }
        for key in &open {
            usecases::execute(service, *key).await.unwrap();
        }
        if open.is_empty() {
            return;
        }
    }
}

async fn expect_member(service: &App, image: &ImageId, status: Option<Status>) {
    let (_, member) = service.store.image_and_member(image, &tenant(MEMBER)).await.unwrap();
    assert_eq!(member.map(|member| member.status), status);
}

/// Every combination of a pause between lives and a clock setback.
fn shutdowns_with_setbacks() -> impl Iterator<Item = (Shutdown, Duration)> {
    let ends = [Shutdown::Graceful, Shutdown::Killed, Shutdown::KilledLater];
    ends.into_iter().flat_map(|end| SETBACKS.map(|back| (end, back)))
}

#[tokio::test(start_paused = true)]
async fn unshare_after_clock_setback_ends_the_membership() {
    for (end, back) in shutdowns_with_setbacks() {
        for others in OTHER_RECIPIENTS {
            println!("{end:?}, set back {back:?}, {others} others");
            let data = TempDir::new().unwrap();
            let now = Timestamp::now();
            let run = ServerRun::start(data.path(), now).await;
            let image = create_image(&run.service).await;
            run_batch(&run.service, &image, recipients(0), true).await;
            respond(&run.service, &image, Status::Accepted).await;
            expect_member(&run.service, &image, Some(Status::Accepted)).await;
            run.shut_down(end).await;
            let run = ServerRun::start(data.path(), now.minus(back)).await;
            run_batch(&run.service, &image, recipients(others), false).await;
            expect_member(&run.service, &image, None).await;
            run.shut_down(Shutdown::Graceful).await;
        }
    }
}

/// Each request is made in its own life, and the clock is set back before each.
#[tokio::test(start_paused = true)]
async fn accept_all_after_clock_setbacks_accepts_a_new_share() {
    for (end, back) in shutdowns_with_setbacks() {
        for others in OTHER_RECIPIENTS {
            println!("{end:?}, set back {back:?}, {others} others");
            let data = TempDir::new().unwrap();
            let now = Timestamp::now();
            let mut lives = 0;
            let mut start = async || {
                lives += 1;
                ServerRun::start(data.path(), now.minus(back * lives)).await
            };
            let run = start().await;
            let image = create_image(&run.service).await;
            run_batch(&run.service, &image, recipients(others), true).await;
            run.shut_down(end).await;
            let run = start().await;
            respond(&run.service, &image, Status::Rejected).await;
            run.shut_down(end).await;
            let run = start().await;
            run_batch(&run.service, &image, recipients(others), false).await;
            run.shut_down(end).await;
            let run = start().await;
            run_batch(&run.service, &image, recipients(others), true).await;
            expect_member(&run.service, &image, Some(Status::Pending)).await;
            run.shut_down(end).await;
            let run = start().await;
            respond_to_all(&run.service, MEMBER, Status::Accepted).await;
            expect_member(&run.service, &image, Some(Status::Accepted)).await;
            run.shut_down(Shutdown::Graceful).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn unshare_with_slow_clock_ends_share_made_with_fast_clock() {
    for shared_with in OTHER_RECIPIENTS {
        for others in OTHER_RECIPIENTS {
            let table = EmbeddedTable::open(None).unwrap();
            let now = Timestamp::now();
            let right = start_service(&table, clock_at(now, MAX_FUNCTION_SKEW));
            let fast = start_service(&table, clock_at(now.plus(MAX_FUNCTION_SKEW), MAX_FUNCTION_SKEW));
            let image = create_image(&right).await;
            run_batch(&fast, &image, recipients(shared_with), true).await;
            respond(&fast, &image, Status::Accepted).await;
            expect_member(&right, &image, Some(Status::Accepted)).await;
            advance(Duration::from_millis(1)).await;
            run_batch(&right, &image, recipients(others), false).await;
            expect_member(&right, &image, None).await;
        }
    }
}

/// The share is stamped above another tenant's decision on everything, which is ahead of every clock.
#[tokio::test(start_paused = true)]
async fn unshare_ends_a_share_made_after_accept_all_of_another_tenant() {
    for others in OTHER_RECIPIENTS {
        for is_granted in [false, true] {
            let table = EmbeddedTable::open(None).unwrap();
            let one = start_service(&table, clock_at(Timestamp::now(), MAX_FUNCTION_SKEW));
            let other = start_service(&table, clock_at(Timestamp::now(), MAX_FUNCTION_SKEW));
            let image = create_image(&one).await;
            respond_to_all(&one, "neighbour", Status::Accepted).await;
            advance(Duration::from_secs(1)).await;
            let to = [tenant(MEMBER), tenant("neighbour")];
            if is_granted {
                let change = PermissionChange::new(to.iter().cloned().collect(), [].into()).unwrap();
                let dry_run = usecases::DryRun::Off;
                usecases::change_permissions(&one, &caller(OWNER), &image, &change, dry_run).await.unwrap();
            } else {
                run_batch(&one, &image, to.to_vec(), true).await;
            }
            advance(Duration::from_secs(1)).await;
            run_batch(&other, &image, recipients(others), false).await;
            expect_member(&other, &image, None).await;
        }
    }
}

/// A hook before each request tells the task that stores the clock. Without requests nothing is written after the
/// start.
#[tokio::test(flavor = "multi_thread")]
async fn server_keeps_its_clock_while_requests_come() {
    for requests in [0, 1] {
        let data = TempDir::new().unwrap();
        let server = start_server(data.path()).await;
        let at_start = saved_clock(server.embedded_table().unwrap()).await;
        for _ in 0..requests {
            let mut client = TcpStream::connect(server.address()).await.unwrap();
            let request = b"GET /v2/cloudimages HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
            client.write_all(request).await.unwrap();
            let mut response = String::new();
            client.read_to_string(&mut response).await.unwrap();
            assert!(response.starts_with("HTTP/1.1 401 "), "{response}");
        }
        while Timestamp::now() <= at_start {
            yield_now().await;
        }
        server.stop().await;
        let table = EmbeddedTable::open(Some(data.path())).unwrap();
        assert_eq!(saved_clock(&table).await > at_start, requests > 0);
    }
}

/// Starts a whole server on a data directory.
async fn start_server(data: &Path) -> Server {
    let line = ["imageshare", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()];
    let Ok(Command::Serve(arguments)) = cli::parse(line.map(OsString::from)) else { panic!("{line:?}") };
    Server::start(&arguments).await.unwrap()
}

/// The time of the logical clock when it was last stored.
async fn saved_clock(table: &EmbeddedTable) -> Timestamp {
    let store = Store::new(table.lane(Lane::Request), Clock::for_server());
    store.saved_clock().await.unwrap().unwrap().reached
}

/// The stored clock is not far ahead of an idle server, whose next request must not be overlooked.
#[tokio::test(start_paused = true)]
async fn first_request_after_idle_precedes_requests_after_restart() {
    for others in OTHER_RECIPIENTS {
        let data = TempDir::new().unwrap();
        let now = Timestamp::now();
        let run = ServerRun::start(data.path(), now).await;
        let image = create_image(&run.service).await;
        run_batch(&run.service, &image, recipients(0), true).await;
        sleep(Duration::from_mins(2)).await;
        run.time_keeper.begin_request().await;
        respond(&run.service, &image, Status::Accepted).await;
        run.shut_down(Shutdown::Killed).await;
        let run = ServerRun::start(data.path(), now).await;
        run_batch(&run.service, &image, recipients(others), false).await;
        expect_member(&run.service, &image, None).await;
        run.shut_down(Shutdown::Graceful).await;
    }
}

/// The share is stamped above its owner's decision on everything, which is further ahead of the slow function's clock
/// than any decision of that function.
#[tokio::test(start_paused = true)]
async fn accept_all_with_slow_clock_accepts_a_preceding_share() {
    for others in OTHER_RECIPIENTS.map(Some).into_iter().chain([None]) {
        let table = EmbeddedTable::open(None).unwrap();
        let now = Timestamp::now();
        let fast = start_service(&table, clock_at(now, MAX_FUNCTION_SKEW));
        let slow = start_service(&table, clock_at(now.minus(MAX_FUNCTION_SKEW), MAX_FUNCTION_SKEW));
        let image = create_image(&fast).await;
        respond_to_all(&fast, OWNER, Status::Accepted).await;
        match others {
            Some(others) => run_batch(&fast, &image, recipients(others), true).await,
            None => drop(
                usecases::add_member(&fast, &caller(OWNER), &image, &tenant(MEMBER), None).await.unwrap(),
            ),
        }
        advance(Duration::from_millis(1)).await;
        respond_to_all(&slow, MEMBER, Status::Accepted).await;
        expect_member(&slow, &image, Some(Status::Accepted)).await;
    }
}
