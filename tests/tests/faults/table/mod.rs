//! Faults between the service and DynamoDB, beneath the SDK: a write is executed once, a throttling table is retried,
//! and when that is in vain the caller gets an error and nothing is changed.

mod direct_writes;
mod messages;
mod sweeps;

use std::time::{Duration, Instant};

use imageshare::domain::{
    Bypass, Details, ImageId, Job, JobId, JobStatus, ShareRequestError, Stamp, Status, Task, Timestamp,
    Visibility,
};
use imageshare::function::HttpFunction;
use imageshare::store::{OPEN_SHARDS, StoreError, WorkItemKey};
use imageshare::table::{AttributeValue, Item, Table, Write};
use imageshare::usecases::{self, NewImage, UseCaseError, execute, sweep};
use imageshare_local::table::Lane;
use imageshare_tests::deployment::{Deployment, authenticator};
use imageshare_tests::events::HttpEvent;
use imageshare_tests::in_process::send_event;
use imageshare_tests::local_service::{caller, queue_job, tenant};
use imageshare_tests::table_server::Fault::{
    Conflict, InternalError, LostResponse, NoResponse, Overloaded, ShortPage, Throttled, UnprocessedKeys,
};
use serde_json::json;

const PUT_ITEM: &str = "PutItem";
const TRANSACT_WRITE_ITEMS: &str = "TransactWriteItems";
const BATCH_GET_ITEM: &str = "BatchGetItem";

/// More than the number of attempts of any call.
const UNLIMITED: usize = 100;

async fn create_image(world: &Deployment) -> ImageId {
    let new = NewImage { id: None, owner: None, visibility: Visibility::Shared, details: Details::default() };
    usecases::register_image(world.service(), &caller("owner"), new, None).await.unwrap().id
}

async fn member_counts(world: &Deployment, image: &ImageId) -> (usize, usize) {
    let head = world.service().store.head(image).await.unwrap().unwrap();
    let counted = head.bypass(Bypass::Test).member_count;
    (counted as usize, world.service().store.members(image, None, 1000).await.unwrap().0.len())
}

async fn open_work_items(world: &Deployment) -> Vec<WorkItemKey> {
    let mut open = Vec::new();
    for shard in 0..OPEN_SHARDS {
        open.extend(world.service().store.open_work_items(shard, None, 100).await.unwrap());
    }
    open
}

/// Executes all open work items. Returns their number.
async fn execute_open_work(world: &Deployment) -> usize {
    let mut done = 0;
    loop {
        let open = open_work_items(world).await;
        for key in &open {
            execute(world.service(), *key).await.unwrap();
        }
        done += open.len();
        if open.is_empty() {
            return done;
        }
    }
}

#[tokio::test]
async fn lost_transaction_response_does_not_duplicate_the_job() {
    let world = Deployment::start().await;
    let image = create_image(&world).await;
    for (place, fault) in [LostResponse, Conflict, Throttled].into_iter().enumerate() {
        world.table_server().fail(TRANSACT_WRITE_ITEMS, fault, 1);
        let (owner, to) = (caller("owner"), vec![tenant(&format!("t{place}"))]);
        let job = usecases::share(world.service(), &owner, vec![image.clone()], to, None).await.unwrap();
        assert_eq!(world.table_server().remaining_faults(), 0);
        assert_eq!(execute_open_work(&world).await, 0, "{fault:?}");
        let report = usecases::job_status(world.service(), &owner, job).await.unwrap();
        assert_eq!(report.status(), JobStatus::Success);
        assert_eq!(member_counts(&world, &image).await, (place + 1, place + 1), "{fault:?}");
    }
}

#[tokio::test]
async fn lost_put_response_does_not_duplicate_the_job() {
    let world = Deployment::start().await;
    let (image, owner) = (create_image(&world).await, caller("owner"));
    let share = async || {
        let (images, to) = (vec![image.clone()], vec![tenant("a")]);
        usecases::share(world.service(), &owner, images, to, None).await.unwrap()
    };
    share().await;
    // The pair is shared again: the membership is one put, and the job another.
    for (fault, times) in [(LostResponse, 1), (LostResponse, 3), (Throttled, 2), (InternalError, 2)] {
        world.table_server().fail(PUT_ITEM, fault, times);
        let job = share().await;
        assert_eq!(world.table_server().remaining_faults(), 0);
        assert_eq!(execute_open_work(&world).await, 0, "{fault:?}");
        let report = usecases::job_status(world.service(), &owner, job).await.unwrap();
        assert_eq!((report.status(), member_counts(&world, &image).await), (JobStatus::Success, (1, 1)));
    }
}

/// The pairs are changed, and the job that says so cannot be written.
#[tokio::test]
async fn request_is_queued_if_its_ended_job_is_not_written() {
    let world = Deployment::start().await;
    let (owner, to) = (caller("owner"), vec![tenant("a")]);
    let share = async |image: &ImageId| {
        usecases::share(world.service(), &owner, vec![image.clone()], to.clone(), None).await.unwrap()
    };
    share(&create_image(&world).await).await;
    let image = create_image(&world).await;
    world.table_server().fail(PUT_ITEM, Throttled, 1_000);
    let job = share(&image).await;
    world.table_server().clear_faults();
    assert_eq!(member_counts(&world, &image).await, (1, 1));
    assert_eq!(execute_open_work(&world).await, 1);
    let report = usecases::job_status(world.service(), &owner, job).await.unwrap();
    assert_eq!((report.status(), member_counts(&world, &image).await), (JobStatus::Success, (1, 1)));
}

#[tokio::test]
async fn transaction_is_applied_once_if_its_response_is_lost() {
    let world = Deployment::start().await;
    let image = create_image(&world).await;
    for (place, fault) in [LostResponse, Conflict, Throttled].into_iter().enumerate() {
        let to = tenant(&format!("t{place}"));
        world.table_server().fail(TRANSACT_WRITE_ITEMS, fault, 2);
        let member =
            usecases::add_member(world.service(), &caller("owner"), &image, &to, None).await.unwrap();
        assert_eq!((member.tenant, member.status), (to, Status::Pending));
        assert_eq!(world.table_server().remaining_faults(), 0);
        assert_eq!(member_counts(&world, &image).await, (place + 1, place + 1), "{fault:?}");
    }
}

#[tokio::test]
async fn job_step_is_applied_once_and_the_job_continues() {
    let world = Deployment::start().await;
    let image = create_image(&world).await;
    let to: Vec<_> = (0..110).map(|number| tenant(&format!("t{number}"))).collect();
    let (owner, images) = (caller("owner"), vec![image.clone()]);
    let job = usecases::share(world.service(), &owner, images, to, None).await.unwrap();
    for fault in [LostResponse, Conflict, Throttled] {
        world.table_server().fail(TRANSACT_WRITE_ITEMS, fault, 1);
    }
    assert_eq!(execute_open_work(&world).await, 1);
    assert_eq!(world.table_server().remaining_faults(), 0);
    let report = usecases::job_status(world.service(), &owner, job).await.unwrap();
    assert_eq!((report.status(), member_counts(&world, &image).await), (JobStatus::Success, (110, 110)));
}

/// The limit after which a job fails counts sweeps, not attempts to count them.
#[tokio::test]
async fn lost_attempt_count_response_counts_one_sweep() {
    let world = Deployment::start().await;
    let image = create_image(&world).await;
    let id = JobId(Stamp::first_of(Timestamp::now().minus(Duration::from_mins(2))));
    let (images, tenants) = (vec![image.clone()], vec![tenant("a")]);
    let (accepted, queues) = (id.0.time(), Vec::new());
    let job = Job {
        id,
        creator: tenant("owner"),
        task: Task::Share,
        images,
        tenants,
        accepted_at: accepted,
        queues,
        may_repeat: false,
    };
    queue_job(world.service(), &job).await;
    // A read that fails does so at once, so only the counter is retried; a sweep that hangs ends eventually.
    let write_directly = |write: Write| {
        let table = world.table_server().embedded().lane(Lane::Request);
        async move { table.write_item(&write).await.unwrap() }
    };
    let membership = [("pk", format!("I#{image}")), ("sk", "M#a".to_owned())];
    let membership: Item =
        membership.map(|(name, text)| (name.to_owned(), AttributeValue::S(text))).into_iter().collect();
    let text = ("membership".to_owned(), AttributeValue::S("not a membership".to_owned()));
    write_directly(Write::put(membership.clone().into_iter().chain([text]).collect())).await;
    let end = Duration::from_mins(10);
    let sweep = async || {
        let in_time = world.service().with_deadline(tokio::time::Instant::now() + end);
        sweep(&in_time, Timestamp::now().plus(end)).await.unwrap()
    };
    for sweeps in 1..=2 {
        world.table_server().fail("UpdateItem", LostResponse, 6);
        let swept = sweep().await;
        assert_eq!((swept.failed, swept.remaining, world.table_server().remaining_faults()), (0, 1, 0));
        let report = world.service().store.report(id).await.unwrap().unwrap().bypass(Bypass::Test);
        assert_eq!((report.work_items[0].attempts, report.ended_at()), (sweeps, None));
    }
    write_directly(Write::delete(membership)).await;
    assert_eq!(sweep().await.executed, 1);
}

#[tokio::test]
async fn unprocessed_keys_are_read_again() {
    let world = Deployment::start().await;
    let image = create_image(&world).await;
    world.table_server().fail(BATCH_GET_ITEM, UnprocessedKeys, 2);
    usecases::add_member(world.service(), &caller("owner"), &image, &tenant("a"), None).await.unwrap();
    assert_eq!((world.table_server().remaining_faults(), member_counts(&world, &image).await), (0, (1, 1)));
}

#[tokio::test]
async fn nonce_is_used_once_if_its_response_is_lost() {
    let world = Deployment::start().await;
    let (key, now) = ("AK0123456789012345".parse().unwrap(), Timestamp::now());
    let is_kept = Duration::from_mins(1);
    world.table_server().fail(PUT_ITEM, LostResponse, 1);
    assert_eq!(world.service().store.use_nonce(&key, "n", now, is_kept).await, Ok(true));
    assert_eq!(world.service().store.use_nonce(&key, "n", now, is_kept).await, Ok(false));
}

#[tokio::test]
async fn busy_table_returns_503_with_retry_after() {
    let world = Deployment::start().await;
    let image = create_image(&world).await;
    let function = HttpFunction::new(world.service().clone(), authenticator());
    let batch = json!({"images": [image], "projects": ["a"]});
    let batch = || HttpEvent::new("POST /v1/cloudimages/members", "/v1/cloudimages/members").json(&batch);
    let member = || {
        let event =
            HttpEvent::new("POST /v2/images/{image_id}/members", &format!("/v2/images/{image}/members"));
        event.json(&json!({"member": "a"}))
    };
    let request = async |event: HttpEvent| {
        let event = event.token(&Deployment::token("owner", "member"));
        let (started, end) = (Instant::now(), Timestamp::now().plus(Duration::from_secs(2)));
        let response = send_event(&function, &event, Some(end)).await;
        // Without a deadline it takes eight seconds; a busy machine may add some to two.
        assert!(started.elapsed() < Duration::from_secs(7), "the deadline was ignored");
        if response.status == 503 {
            assert!(started.elapsed() > Duration::from_millis(500), "not retried until the deadline");
        }
        (response.status, response.headers.get("retry-after").cloned())
    };
    let busy = (503, Some("1".to_owned()));
    for fault in [Throttled, Overloaded, Conflict, InternalError] {
        world.table_server().fail(PUT_ITEM, fault, UNLIMITED);
        world.table_server().fail(TRANSACT_WRITE_ITEMS, fault, UNLIMITED);
        assert_eq!(request(batch()).await, busy, "{fault:?}");
        assert_eq!(request(member()).await, busy, "{fault:?}");
        world.table_server().clear_faults();
    }
    for fault in [UnprocessedKeys, Throttled, NoResponse] {
        world.table_server().fail(BATCH_GET_ITEM, fault, UNLIMITED);
        assert_eq!(request(member()).await, busy, "{fault:?}");
        world.table_server().clear_faults();
    }
    assert_eq!(
        (execute_open_work(&world).await, member_counts(&world, &image).await),
        (0, (0, 0)),
        "nothing was changed"
    );
    assert_eq!(request(batch()).await.0, 200);
    let refused =
        usecases::add_member(world.service(), &caller("owner"), &image, &tenant("owner"), None).await;
    assert_eq!(refused.unwrap_err(), ShareRequestError::SelfShare(tenant("owner")).into());
}

#[tokio::test]
async fn list_with_a_failing_page_is_complete_or_an_error() {
    let world = Deployment::start().await;
    let image = create_image(&world).await;
    for name in ["a", "b", "c"] {
        usecases::add_member(world.service(), &caller("owner"), &image, &tenant(name), None).await.unwrap();
    }
    for fault in [Throttled, InternalError] {
        world.table_server().fail("Query", ShortPage, 1);
        world.table_server().fail("Query", fault, 1);
        let page =
            usecases::list_members(world.service(), &caller("owner"), &image, None, 100).await.unwrap();
        assert_eq!((page.items.len(), world.table_server().remaining_faults()), (3, 0), "{fault:?}");
    }
    world.table_server().fail("Query", ShortPage, 1);
    world.table_server().fail("Query", Throttled, UNLIMITED);
    let soon = world.service().with_deadline(tokio::time::Instant::now() + Duration::from_millis(100));
    let failed = usecases::list_members(&soon, &caller("owner"), &image, None, 100).await;
    assert!(matches!(&failed, Err(UseCaseError::Store(problem)) if problem.is_transient()), "{failed:?}");
    world.table_server().clear_faults();
}

#[tokio::test]
async fn job_report_is_complete_across_short_pages() {
    let world = Deployment::start().await;
    let image = create_image(&world).await;
    let to: Vec<_> = (0..202).map(|number| tenant(&format!("t{number}"))).collect();
    let owner = caller("owner");
    let job = usecases::share(world.service(), &owner, vec![image], to, None).await.unwrap();
    assert_eq!(execute_open_work(&world).await, 2, "work items, each in its own item");
    world.table_server().fail("Query", ShortPage, 2);
    let report = usecases::job_status(world.service(), &owner, job).await.unwrap();
    assert_eq!(
        (report.status(), report.done_count(), world.table_server().remaining_faults()),
        (JobStatus::Success, 202, 0)
    );
}

#[tokio::test]
async fn timed_out_worker_returns_its_work_item_and_the_job_resumes() {
    let world = Deployment::start().await;
    let image = create_image(&world).await;
    let to: Vec<_> = (0..110).map(|number| tenant(&format!("t{number}"))).collect();
    let (owner, images) = (caller("owner"), vec![image.clone()]);
    let job = usecases::share(world.service(), &owner, images, to, None).await.unwrap();
    let keys = open_work_items(&world).await;
    // The first step is executed, and the response to the second never comes.
    world.table_server().stall_after(1);
    // Long enough for the first step on any machine.
    let soon = world.service().with_deadline(tokio::time::Instant::now() + Duration::from_secs(4));
    assert!(matches!(execute(&soon, keys[0]).await, Err(StoreError::InDoubt(_))));
    let done = usecases::job_status(world.service(), &owner, job).await.unwrap().done_count();
    assert!((1..110).contains(&done), "{done}");
    world.table_server().resume();
    assert_eq!(execute_open_work(&world).await, 1);
    let report = usecases::job_status(world.service(), &owner, job).await.unwrap();
    assert_eq!((report.status(), member_counts(&world, &image).await), (JobStatus::Success, (110, 110)));
}
