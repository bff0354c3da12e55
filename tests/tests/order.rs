//! A request made after another one was answered is later than it, whatever clocks say: a server whose clock is set back between
//! two lives, and functions whose clocks differ.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use imageshare::domain::{
    Clock, Details, FUNCTION_SKEW, ImageId, JobId, JobStatus, Limits, Outcome, Permissions, Status, TenantId,
    Timestamp, Visibility,
};
use imageshare::store::{OPEN_SHARDS, Store};
use imageshare::usecases::{self, NewImage};
use imageshare::{Service, Settings};
use imageshare_local::keep_time::TimeKeeper;
use imageshare_local::table::{EmbeddedTable, Lane};
use imageshare_tests::direct_table::DirectTable;
use imageshare_tests::service::{caller, tenant};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, advance, sleep};

const OWNER: &str = "owner";
const MEMBER: &str = "member";

/// How far the clock is set back.
const SET_BACK: [Duration; 2] = [Duration::from_secs(2), Duration::from_hours(1)];

/// The tenants of a batch beside the member: those of one that is carried out at once, of one that is queued, and of one that
/// is handed out piece by piece.
const OTHERS: [usize; 3] = [0, 120, 220];

/// How a life of the server ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Stopped,
    /// At once.
    Killed,
    /// Three seconds later.
    KilledLater,
}

/// One life of a server, from its start to its end.
struct Life {
    service: Service,
    table: EmbeddedTable,
    time: Arc<TimeKeeper>,
    stop: oneshot::Sender<()>,
    keeping: JoinHandle<()>,
}

impl Life {
    /// Starts a server on that data, on a machine whose clock shows that moment.
    async fn start(data: &Path, moment: Timestamp) -> Self {
        let table = EmbeddedTable::open(Some(data)).unwrap();
        let service = service(&table, clock(moment, Duration::ZERO));
        let time = Arc::new(TimeKeeper::resume(service.store.clone()).await.unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let keeper = Arc::clone(&time);
        let keeping = tokio::spawn(async move { keeper.run(async { drop(stopped.await) }).await });
        time.begin_request().await;
        Self { service, table, time, stop, keeping }
    }

    async fn end(self, end: End) {
        match end {
            End::Stopped => {
                self.stop.send(()).unwrap();
                self.keeping.await.unwrap();
            }
            End::Killed => self.keeping.abort(),
            End::KilledLater => {
                for _ in 0..30 {
                    advance(Duration::from_millis(100)).await;
                }
                self.keeping.abort();
            }
        }
        self.table.close().await;
    }
}

/// A machine's clock that shows that moment now.
fn clock(moment: Timestamp, skew: Duration) -> Clock {
    let begun = Instant::now();
    Clock::new(move || moment.plus(begun.elapsed()), skew)
}

fn service(table: &EmbeddedTable, clock: Clock) -> Service {
    let settings = Settings {
        region: "local".to_owned(),
        public_url: None,
        directory_is_complete: false,
        limits: Limits::default(),
    };
    let table = DirectTable::new(table.lane(Lane::Request));
    Service { store: Store::new(table, clock), settings: Arc::new(settings) }
}

/// The member, and so many others.
fn recipients(others: usize) -> Vec<TenantId> {
    let others = (0..others).map(|number| tenant(&format!("other-{number}")));
    [tenant(MEMBER)].into_iter().chain(others).collect()
}

async fn image(service: &Service) -> ImageId {
    let new = NewImage { id: None, owner: None, visibility: Visibility::Shared, details: Details::default() };
    usecases::register_image(service, &caller(OWNER), new).await.unwrap().id
}

/// Shares an image, or stops sharing it, by the batch call, and lets it be carried out. Every pair must be done.
async fn batch(service: &Service, image: &ImageId, to: Vec<TenantId>, is_share: bool) {
    let (by, images) = (caller(OWNER), vec![image.clone()]);
    let job = if is_share {
        usecases::share(service, &by, images, to, None).await.unwrap()
    } else {
        usecases::unshare(service, &by, images, to, None).await.unwrap()
    };
    done(service, job).await;
}

async fn answer(service: &Service, image: &ImageId, status: Status) {
    let (by, images) = (caller(MEMBER), vec![image.clone()]);
    let job = usecases::respond(service, &by, tenant(MEMBER), images, (status, None), None).await.unwrap();
    done(service, job).await;
}

async fn answer_to_all(service: &Service, by: &str, status: Status) -> JobId {
    let job = usecases::respond_to_all(service, &caller(by), tenant(by), (status, None), None).await.unwrap();
    done(service, job).await;
    job
}

async fn done(service: &Service, job: JobId) {
    work(service).await;
    let report = service.store.report(job).await.unwrap().unwrap();
    let others = report.outcomes().filter(|(_, _, outcome)| *outcome != Outcome::Done);
    assert_eq!((report.status(), others.collect()), (JobStatus::Success, Vec::<(&_, &_, _)>::new()));
}

async fn work(service: &Service) {
    loop {
        let mut open = Vec::new();
        for shard in 0..OPEN_SHARDS {
            open.extend(service.store.open_pieces(shard, None, 1000).await.unwrap());
        }
        for key in &open {
            usecases::carry_out(service, *key).await.unwrap();
        }
        if open.is_empty() {
            return;
        }
    }
}

async fn expect_member(service: &Service, image: &ImageId, status: Option<Status>) {
    let (_, member) = service.store.image_and_member(image, &tenant(MEMBER)).await.unwrap();
    assert_eq!(member.map(|member| member.status), status);
}

/// Every way in which a life ends and the clock is set back.
fn setbacks() -> impl Iterator<Item = (End, Duration)> {
    let ends = [End::Stopped, End::Killed, End::KilledLater];
    ends.into_iter().flat_map(|end| SET_BACK.map(|back| (end, back)))
}

#[tokio::test(start_paused = true)]
async fn unshare_after_the_clock_was_set_back_ends_the_membership() {
    for (end, back) in setbacks() {
        for others in OTHERS {
            println!("{end:?}, set back {back:?}, {others} others");
            let data = TempDir::new().unwrap();
            let now = Timestamp::now();
            let life = Life::start(data.path(), now).await;
            let image = image(&life.service).await;
            batch(&life.service, &image, recipients(0), true).await;
            answer(&life.service, &image, Status::Accepted).await;
            expect_member(&life.service, &image, Some(Status::Accepted)).await;
            life.end(end).await;
            let life = Life::start(data.path(), now.minus(back)).await;
            batch(&life.service, &image, recipients(others), false).await;
            expect_member(&life.service, &image, None).await;
            life.end(End::Stopped).await;
        }
    }
}

/// Each request is made in a life of its own, and the clock is set back before each.
#[tokio::test(start_paused = true)]
async fn accept_all_accepts_what_was_shared_again_however_the_clock_is_set_back() {
    for (end, back) in setbacks() {
        for others in OTHERS {
            println!("{end:?}, set back {back:?}, {others} others");
            let data = TempDir::new().unwrap();
            let now = Timestamp::now();
            let mut lives = 0;
            let mut start = async || {
                lives += 1;
                Life::start(data.path(), now.minus(back * lives)).await
            };
            let life = start().await;
            let image = image(&life.service).await;
            batch(&life.service, &image, recipients(others), true).await;
            life.end(end).await;
            let life = start().await;
            answer(&life.service, &image, Status::Rejected).await;
            life.end(end).await;
            let life = start().await;
            batch(&life.service, &image, recipients(others), false).await;
            life.end(end).await;
            let life = start().await;
            batch(&life.service, &image, recipients(others), true).await;
            expect_member(&life.service, &image, Some(Status::Pending)).await;
            life.end(end).await;
            let life = start().await;
            answer_to_all(&life.service, MEMBER, Status::Accepted).await;
            expect_member(&life.service, &image, Some(Status::Accepted)).await;
            life.end(End::Stopped).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn unshare_by_a_slow_function_ends_what_a_fast_one_has_shared() {
    for shared_with in OTHERS {
        for others in OTHERS {
            let table = EmbeddedTable::open(None).unwrap();
            let now = Timestamp::now();
            let right = service(&table, clock(now, FUNCTION_SKEW));
            let fast = service(&table, clock(now.plus(FUNCTION_SKEW), FUNCTION_SKEW));
            let image = image(&right).await;
            batch(&fast, &image, recipients(shared_with), true).await;
            answer(&fast, &image, Status::Accepted).await;
            expect_member(&right, &image, Some(Status::Accepted)).await;
            advance(Duration::from_millis(1)).await;
            batch(&right, &image, recipients(others), false).await;
            expect_member(&right, &image, None).await;
        }
    }
}

/// The share is stamped above the answer to everything of another tenant, which is ahead of every clock.
#[tokio::test(start_paused = true)]
async fn unshare_ends_what_was_shared_just_after_another_recipients_accept_all() {
    for others in OTHERS {
        for is_granted in [false, true] {
            let table = EmbeddedTable::open(None).unwrap();
            let one = service(&table, clock(Timestamp::now(), FUNCTION_SKEW));
            let other = service(&table, clock(Timestamp::now(), FUNCTION_SKEW));
            let image = image(&one).await;
            answer_to_all(&one, "neighbour", Status::Accepted).await;
            advance(Duration::from_secs(1)).await;
            let to = [tenant(MEMBER), tenant("neighbour")];
            if is_granted {
                let wanted = Permissions::new(to.iter().cloned().collect(), [].into()).unwrap();
                let made = usecases::Effect::Made;
                usecases::change_permissions(&one, &caller(OWNER), &image, &wanted, made).await.unwrap();
            } else {
                batch(&one, &image, to.to_vec(), true).await;
            }
            advance(Duration::from_secs(1)).await;
            batch(&other, &image, recipients(others), false).await;
            expect_member(&other, &image, None).await;
        }
    }
}

/// The clock that is kept is not far ahead of a server at rest, whose first request after that must not be lost sight of.
#[tokio::test(start_paused = true)]
async fn first_request_after_a_rest_is_before_those_of_the_next_life() {
    for others in OTHERS {
        let data = TempDir::new().unwrap();
        let now = Timestamp::now();
        let life = Life::start(data.path(), now).await;
        let image = image(&life.service).await;
        batch(&life.service, &image, recipients(0), true).await;
        sleep(Duration::from_mins(2)).await;
        life.time.begin_request().await;
        answer(&life.service, &image, Status::Accepted).await;
        life.end(End::Killed).await;
        let life = Life::start(data.path(), now).await;
        batch(&life.service, &image, recipients(others), false).await;
        expect_member(&life.service, &image, None).await;
        life.end(End::Stopped).await;
    }
}

/// The share is stamped above its owner's answer to everything, which is further ahead of the slow function's clock than any
/// answer of its own.
#[tokio::test(start_paused = true)]
async fn accept_all_by_a_slow_function_accepts_what_was_shared_just_after_its_owners_accept_all() {
    for others in OTHERS.map(Some).into_iter().chain([None]) {
        let table = EmbeddedTable::open(None).unwrap();
        let now = Timestamp::now();
        let fast = service(&table, clock(now, FUNCTION_SKEW));
        let slow = service(&table, clock(now.minus(FUNCTION_SKEW), FUNCTION_SKEW));
        let image = image(&fast).await;
        answer_to_all(&fast, OWNER, Status::Accepted).await;
        match others {
            Some(others) => batch(&fast, &image, recipients(others), true).await,
            None => drop(usecases::add_member(&fast, &caller(OWNER), &image, &tenant(MEMBER)).await.unwrap()),
        }
        advance(Duration::from_millis(1)).await;
        answer_to_all(&slow, MEMBER, Status::Accepted).await;
        expect_member(&slow, &image, Some(Status::Accepted)).await;
    }
}
