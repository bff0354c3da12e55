//! The queues of tenants: an acknowledged share can be decided on immediately, and a tenant with many jobs does not
//! keep the workers from others.

use std::ffi::OsString;
use std::time::Duration;

use imageshare::App;
use imageshare::domain::{
    Bypass, Clock, Denied, ImageId, JobId, JobStatus, Limits, Outcome, Status, Task, TenantId,
};
use imageshare::function::HttpFunction;
use imageshare::store::Store;
use imageshare::table::{Table, TableError, TableFuture, Write, WriteOutput};
use imageshare::usecases::{self, ExceededLimit, UseCaseError, execute};
use imageshare_local::cli::{self, Command};
use imageshare_local::server::Server;
use imageshare_local::table::{EmbeddedTable, Lane, TableLane};
use imageshare_tests::blocking_table::BlockingTable;
use imageshare_tests::delegate_to_table;
use imageshare_tests::deployment::{Deployment, authenticator};
use imageshare_tests::events::HttpEvent;
use imageshare_tests::in_process::send_event;
use imageshare_tests::local_service::{LocalService, caller, job_at, tenant};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

/// A service on a clock that only advances while all tasks wait.
fn start(limits: Limits) -> LocalService {
    LocalService::start_with_table(limits, BlockingTable::new)
}

fn tenants(number: usize) -> Vec<TenantId> {
    (0..number).map(|number| tenant(&format!("t{number}"))).collect()
}

/// A share that was acknowledged but not executed.
async fn queued_share(world: &LocalService, image: &ImageId, to: &str) -> JobId {
    let (images, to) = (vec![image.clone()], vec![tenant(to)]);
    let job = job_at(world.service.clock().stamp(), "owner", Task::Share, images, to);
    world.queue_job(&job).await;
    job.id
}

async fn respond_as_member(world: &LocalService, image: &ImageId) -> Result<Status, UseCaseError> {
    respond_as_tenant(world, image, "a").await
}

async fn respond_as_tenant(
    world: &LocalService,
    image: &ImageId,
    tenant_id: &str,
) -> Result<Status, UseCaseError> {
    let decision = (Ok(Status::Accepted), None);
    let decided =
        usecases::decide_as_member(&world.service, &caller(tenant_id), image, &tenant(tenant_id), decision)
            .await;
    decided.map(|member| member.status)
}

async fn respond_in_batch(world: &LocalService, image: &ImageId) -> JobId {
    let (images, decision) = (vec![image.clone()], (Status::Accepted, None));
    usecases::respond(&world.service, &caller("a"), tenant("a"), images, decision, None).await.unwrap()
}

async fn member_status(world: &LocalService, image: &ImageId, tenant_id: &str) -> Option<Status> {
    let (_, member) = world.service.store.head_and_member(image, &tenant(tenant_id)).await.unwrap();
    member.map(|member| member.status)
}

#[tokio::test(start_paused = true)]
async fn immediate_decision_waits_for_the_queued_share() {
    let world = start(Limits::default());
    let image = world.create_image("owner").await;
    queued_share(&world, &image, "a").await;
    let later = async {
        sleep(Duration::from_secs(1)).await;
        world.run_open_work().await;
    };
    let (decided, ()) = tokio::join!(respond_as_member(&world, &image), later);
    assert_eq!(decided, Ok(Status::Accepted));
}

#[tokio::test(start_paused = true)]
async fn decision_on_an_unfinished_share_returns_503() {
    let world = start(Limits::default());
    let image = world.create_image("owner").await;
    queued_share(&world, &image, "a").await;
    let started = Instant::now();
    assert_eq!(respond_as_member(&world, &image).await, Err(UseCaseError::InProgress(image.clone())));
    assert!(started.elapsed() <= Duration::from_secs(5));
    let function = HttpFunction::new(world.service.clone(), authenticator());
    let path = format!("/v2/images/{image}/members/a");
    let event = HttpEvent::new("PUT /v2/images/{image_id}/members/{member_id}", &path);
    let event = event.token(&Deployment::token("a", "member")).json(&json!({"status": "accepted"}));
    let response = send_event(&function, &event, None).await;
    response.expect_status(503);
    assert_eq!(response.headers.get("retry-after").map(String::as_str), Some("1"));
    assert_eq!(response.body["error"]["code"], "IMG.0060");
    // It is not visible to tenants without a part in it.
    let stranger = respond_as_tenant(&world, &image, "stranger").await;
    assert_eq!(stranger, Err(Denied::ImageNotFound(image).into()));
}

#[tokio::test(start_paused = true)]
async fn batch_decision_is_executed_after_the_queued_share() {
    let world = start(Limits::default());
    let image = world.create_image("owner").await;
    let share = queued_share(&world, &image, "a").await;
    let job = respond_in_batch(&world, &image).await;
    assert_eq!(world.job_report(job).await.status(), JobStatus::Init, "it is queued behind the share");
    let open = world.open_work_items().await;
    let of = |job| *open.iter().find(|work_item| work_item.job == job).unwrap();
    assert!(execute(&world.service, of(job)).await.is_err(), "it comes again");
    execute(&world.service, of(share)).await.unwrap();
    execute(&world.service, of(job)).await.unwrap();
    assert_eq!(world.job_report(job).await.status(), JobStatus::Success);
    assert_eq!(member_status(&world, &image, "a").await, Some(Status::Accepted));
}

#[tokio::test(start_paused = true)]
async fn decision_without_a_share_is_rejected_immediately() {
    let world = start(Limits::default());
    let (image, other) = (world.create_image("owner").await, world.create_image("owner").await);
    queued_share(&world, &other, "a").await;
    let started = Instant::now();
    assert_eq!(respond_as_member(&world, &image).await, Err(Denied::ImageNotFound(image.clone()).into()));
    assert_eq!(started.elapsed(), Duration::ZERO);
    let report = world.job_report(respond_in_batch(&world, &image).await).await;
    assert_eq!(report.failures().map(|(_, _, outcome)| outcome).collect::<Vec<_>>(), [Outcome::NotAMember]);
}

#[tokio::test(start_paused = true)]
async fn immediate_removal_waits_for_the_queued_share() {
    let world = start(Limits::default());
    let image = world.create_image("owner").await;
    queued_share(&world, &image, "a").await;
    let (owner, a) = (caller("owner"), tenant("a"));
    let removed = usecases::remove_member(&world.service, &owner, &image, &a);
    let (removed, ()) = tokio::join!(removed, world.run_open_work());
    assert_eq!((removed, member_status(&world, &image, "a").await), (Ok(()), None));
}

async fn create_images(world: &LocalService, owner: &str, number: usize) -> Vec<ImageId> {
    let mut images = Vec::new();
    for _ in 0..number {
        images.push(world.create_image(owner).await);
    }
    images
}

#[tokio::test(start_paused = true)]
async fn tenant_with_many_large_jobs_has_few_work_items() {
    let world = start(Limits::default());
    let (of_busy, of_other) =
        (create_images(&world, "busy", 100).await, create_images(&world, "other", 3).await);
    for _ in 0..40 {
        usecases::share(&world.service, &caller("busy"), of_busy.clone(), tenants(100), None).await.unwrap();
    }
    assert_eq!(world.open_work_items().await.len(), 8);
    // Another tenant's large job has work items as well, and its small one is done in the request.
    let other = caller("other");
    let large = usecases::share(&world.service, &other, of_other.clone(), tenants(100), None);
    let large = large.await.unwrap();
    assert_eq!(world.open_work_items().await.iter().filter(|work_item| work_item.job == large).count(), 2);
    let small = usecases::share(&world.service, &other, of_other, vec![tenant("a")], None).await;
    assert_eq!(world.job_report(small.unwrap()).await.status(), JobStatus::Success);
    // Whatever the busy tenant requests, executing the open work once advances the other tenant's job.
    for _ in 0..2 {
        for work_item in world.open_work_items().await {
            execute(&world.service, work_item).await.unwrap();
        }
        assert!(world.open_work_items().await.len() <= 10);
    }
    assert_eq!(world.job_report(large).await.status(), JobStatus::Success);
}

#[tokio::test(start_paused = true)]
async fn large_jobs_of_a_tenant_are_executed_in_order() {
    let world = start(Limits::default());
    let images = create_images(&world, "owner", 3).await;
    let mut jobs = Vec::new();
    for _ in 0..3 {
        jobs.push(
            usecases::share(&world.service, &caller("owner"), images.clone(), tenants(100), None)
                .await
                .unwrap(),
        );
    }
    let open = world.open_work_items().await;
    assert!(open.iter().all(|work_item| work_item.job == jobs[0]), "the first is active");
    world.run_open_work().await;
    for job in jobs {
        assert_eq!(world.job_report(job).await.status(), JobStatus::Success);
    }
    let queue = world.service.store.tenant(&tenant("owner")).await.unwrap().queue;
    assert_eq!((queue.jobs.len(), queue.pair_count, queue.current.len()), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn unshare_does_not_wait_behind_shares() {
    let world = start(Limits::default());
    let images = create_images(&world, "owner", 3).await;
    let (owner, service) = (caller("owner"), &world.service);
    usecases::share(service, &owner, images.clone(), tenants(100), None).await.unwrap();
    usecases::share(service, &owner, images.clone(), tenants(100), None).await.unwrap();
    let unshare = usecases::unshare(service, &owner, images.clone(), tenants(100), None).await.unwrap();
    for work_item in world.open_work_items().await.into_iter().filter(|work_item| work_item.job == unshare) {
        execute(service, work_item).await.unwrap();
    }
    assert_eq!(world.job_report(unshare).await.status(), JobStatus::Success);
    world.run_open_work().await;
    for image in &images {
        assert_eq!(world.member_count(image).await, 0, "the later request wins");
    }
}

#[tokio::test(start_paused = true)]
async fn tenant_with_too_many_open_jobs_gets_429() {
    let limits = Limits { open_pairs_per_tenant: 500, ..Limits::default() };
    let world = start(limits);
    let images = create_images(&world, "owner", 3).await;
    let share = async || {
        let (images, to) = (images.clone(), tenants(100));
        usecases::share(&world.service, &caller("owner"), images, to, None).await
    };
    let first = share().await.unwrap();
    let excess = ExceededLimit::OpenJobs { max_pairs: 500 };
    assert!(
        matches!(share().await, Err(UseCaseError::TooManyRequests { excess: full, .. }) if full == excess)
    );
    let function = HttpFunction::new(world.service.clone(), authenticator());
    let body = json!({"images": images, "projects": tenants(100)});
    let event = HttpEvent::new("POST /v1/cloudimages/members", "/v1/cloudimages/members").json(&body);
    let response = send_event(&function, &event.token(&Deployment::token("owner", "member")), None).await;
    response.expect_status(429);
    assert!(response.headers.contains_key("retry-after"));
    // A request that is executed at once is not queued, and other tenants have their own limit.
    let one = usecases::share(&world.service, &caller("owner"), images[..1].to_vec(), tenants(1), None).await;
    assert_eq!(world.job_report(one.unwrap()).await.status(), JobStatus::Success);
    world.run_open_work().await;
    assert_eq!(world.job_report(first).await.status(), JobStatus::Success);
    share().await.unwrap();
}

/// A table where ended jobs stay queued: every worker is killed just before it removes its job from the queue.
#[derive(Debug)]
struct NoDequeueTable {
    table: TableLane,
}

impl Table for NoDequeueTable {
    delegate_to_table!(get_item, batch_get_item, query, transact_write_items);

    fn write_item<'a>(&'a self, write: &'a Write) -> TableFuture<'a, WriteOutput> {
        if write.condition.as_deref() == Some("contains(queued, :job)") {
            return Box::pin(async { Err(TableError::Closed("the worker is killed".to_owned())) });
        }
        self.table.write_item(write)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn server_start_activates_the_job_behind_an_ended_one() {
    let data = tempfile::tempdir().unwrap();
    let embedded = EmbeddedTable::open(Some(data.path())).unwrap();
    let table = embedded.lane(Lane::Request);
    let settings = LocalService::start(Limits::default()).service.settings;
    let store = Store::new(NoDequeueTable { table: table.clone() }, Clock::for_server());
    let world = LocalService { service: App { store, settings }, table, embedded };
    let images = create_images(&world, "owner", 3).await;
    let share = async || {
        usecases::share(&world.service, &caller("owner"), images.clone(), tenants(100), None).await.unwrap()
    };
    let (first, second) = (share().await, share().await);
    loop {
        let open = world.open_work_items().await;
        if open.is_empty() {
            break;
        }
        for item in open {
            assert_eq!(item.job, first, "the second waits for the first");
            // The last worker fails to remove its job from the queue.
            let _ = execute(&world.service, item).await;
        }
    }
    assert_eq!(world.job_report(first).await.status(), JobStatus::Success);
    assert_eq!(world.job_report(second).await.status(), JobStatus::Init);
    world.embedded.close().await;
    drop(world);

    let line = ["imageshare", "--listen", "127.0.0.1:0", "--data", data.path().to_str().unwrap()];
    let Ok(Command::Serve(arguments)) = cli::parse(line.map(OsString::from)) else { panic!("{line:?}") };
    let server = Server::start(&arguments).await.unwrap();
    let store = Store::new(server.embedded_table().unwrap().lane(Lane::Request), Clock::for_server());
    let succeeds = async {
        let report = async || store.report(second).await.unwrap().unwrap().bypass(Bypass::Test);
        while report().await.status() != JobStatus::Success {
            sleep(Duration::from_millis(20)).await;
        }
    };
    // The first sweep, a minute after the start, would activate it too.
    timeout(Duration::from_secs(45), succeeds).await.expect("the job is activated at the start");
    server.stop().await;
}
