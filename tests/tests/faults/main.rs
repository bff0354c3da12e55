//! What goes wrong between the service and DynamoDB, beneath the SDK: a write is made once, a busy table is waited for,
//! and where that is of no use the caller is told so and nothing is changed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod own_writes;
mod sweeps;
mod words;

use std::time::{Duration, Instant};

use imageshare::domain::{
    Details, ImageId, Job, JobId, JobStatus, Stamp, Status, Task, Timestamp, Visibility,
};
use imageshare::function::Function;
use imageshare::store::{OPEN_SHARDS, PieceKey, StoreError};
use imageshare::table::{AttributeValue, Item, Table, Write};
use imageshare::usecases::{self, NewImage, Refusal, carry_out, sweep};
use imageshare_local::table::Lane;
use imageshare_tests::events::HttpEvent;
use imageshare_tests::in_process::send;
use imageshare_tests::service::{caller, queue, tenant};
use imageshare_tests::table_server::Fault::{
    Broken, Conflict, LostAnswer, Overloaded, ShortPage, Silence, Throttled, Unread,
};
use imageshare_tests::world::{World, authenticator};
use serde_json::json;

const PUT: &str = "PutItem";
const TRANSACTION: &str = "TransactWriteItems";
const BATCH_READ: &str = "BatchGetItem";

/// More often than anything is tried.
const FOR_EVER: usize = 100;

async fn image(world: &World) -> ImageId {
    let new = NewImage { id: None, owner: None, visibility: Visibility::Shared, details: Details::default() };
    usecases::register_image(world.service(), &caller("owner"), new).await.unwrap().id
}

async fn members(world: &World, image: &ImageId) -> (usize, usize) {
    let counted = world.service().store.head(image).await.unwrap().unwrap().members;
    (counted as usize, world.service().store.members(image, None, 1000).await.unwrap().0.len())
}

async fn open_pieces(world: &World) -> Vec<PieceKey> {
    let mut open = Vec::new();
    for shard in 0..OPEN_SHARDS {
        open.extend(world.service().store.open_pieces(shard, None, 100).await.unwrap());
    }
    open
}

/// Carries out everything that is open. Returns how many pieces there were.
async fn work(world: &World) -> usize {
    let mut done = 0;
    loop {
        let open = open_pieces(world).await;
        for key in &open {
            carry_out(world.service(), *key).await.unwrap();
        }
        done += open.len();
        if open.is_empty() {
            return done;
        }
    }
}

#[tokio::test]
async fn a_job_whose_transaction_lost_its_answer_is_one_job() {
    let world = World::start().await;
    let image = image(&world).await;
    for fault in [LostAnswer, Conflict, Throttled] {
        world.database().fail(TRANSACTION, fault, 1);
        let (owner, to) = (caller("owner"), vec![tenant("a")]);
        let job = usecases::share(world.service(), &owner, vec![image.clone()], to, None).await.unwrap();
        assert_eq!(world.database().faults_left(), 0);
        assert_eq!(work(&world).await, 0, "{fault:?}");
        let report = usecases::job_status(world.service(), &owner, job).await.unwrap();
        assert_eq!(report.status(), JobStatus::Success);
        assert_eq!(members(&world, &image).await, (1, 1), "{fault:?}");
    }
}

#[tokio::test]
async fn a_transaction_is_made_once_whatever_happens_to_its_answer() {
    let world = World::start().await;
    let image = image(&world).await;
    for (place, fault) in [LostAnswer, Conflict, Throttled].into_iter().enumerate() {
        let to = tenant(&format!("t{place}"));
        world.database().fail(TRANSACTION, fault, 2);
        let member = usecases::add_member(world.service(), &caller("owner"), &image, &to).await.unwrap();
        assert_eq!((member.tenant, member.status), (to, Status::Pending));
        assert_eq!(world.database().faults_left(), 0);
        assert_eq!(members(&world, &image).await, (place + 1, place + 1), "{fault:?}");
    }
}

#[tokio::test]
async fn a_step_of_a_job_is_made_once_and_the_job_goes_on() {
    let world = World::start().await;
    let image = image(&world).await;
    let to: Vec<_> = (0..110).map(|number| tenant(&format!("t{number}"))).collect();
    let (owner, images) = (caller("owner"), vec![image.clone()]);
    let job = usecases::share(world.service(), &owner, images, to, None).await.unwrap();
    for fault in [LostAnswer, Conflict, Throttled] {
        world.database().fail(TRANSACTION, fault, 1);
    }
    assert_eq!(work(&world).await, 1);
    assert_eq!(world.database().faults_left(), 0);
    let report = usecases::job_status(world.service(), &owner, job).await.unwrap();
    assert_eq!((report.status(), members(&world, &image).await), (JobStatus::Success, (110, 110)));
}

/// The schedule that a job is given up by counts sweeps, not attempts to count them.
#[tokio::test]
async fn a_sweep_whose_count_lost_its_answer_is_one_sweep() {
    let world = World::start().await;
    let image = image(&world).await;
    let id = JobId(Stamp::first_of(Timestamp::now().minus(Duration::from_mins(2))));
    let (images, tenants) = (vec![image.clone()], vec![tenant("a")]);
    let (accepted, queues) = (id.0.time(), Vec::new());
    let job = Job { id, creator: tenant("owner"), task: Task::Share, images, tenants, accepted, queues };
    queue(world.service(), &job).await;
    // What cannot be read fails at once, so that only the count is tried again; a sweep that hangs ends some day.
    let behind = |write: Write| {
        let table = world.database().embedded().lane(Lane::Request);
        async move { table.write_item(&write).await.unwrap() }
    };
    let membership = [("pk", format!("I#{image}")), ("sk", "M#a".to_owned())];
    let membership: Item =
        membership.map(|(name, text)| (name.to_owned(), AttributeValue::S(text))).into_iter().collect();
    let text = ("membership".to_owned(), AttributeValue::S("not a membership".to_owned()));
    behind(Write::put(membership.clone().into_iter().chain([text]).collect())).await;
    let end = Duration::from_mins(10);
    let sweep = async || {
        let in_time = world.service().until(tokio::time::Instant::now() + end);
        sweep(&in_time, Timestamp::now().plus(end)).await.unwrap()
    };
    for sweeps in 1..=2 {
        world.database().fail("UpdateItem", LostAnswer, 6);
        let swept = sweep().await;
        assert_eq!((swept.given_up, swept.left, world.database().faults_left()), (0, 1, 0));
        let report = world.service().store.report(id).await.unwrap().unwrap();
        assert_eq!((report.pieces[0].attempts, report.ended()), (sweeps, None));
    }
    behind(Write::delete(membership)).await;
    assert_eq!(sweep().await.carried_out, 1);
}

#[tokio::test]
async fn keys_that_were_not_read_are_read_again() {
    let world = World::start().await;
    let image = image(&world).await;
    world.database().fail(BATCH_READ, Unread, 2);
    usecases::add_member(world.service(), &caller("owner"), &image, &tenant("a")).await.unwrap();
    assert_eq!((world.database().faults_left(), members(&world, &image).await), (0, (1, 1)));
}

#[tokio::test]
async fn a_nonce_is_used_once_though_its_answer_was_lost() {
    let world = World::start().await;
    let (key, now) = ("AK0123456789012345".parse().unwrap(), Timestamp::now());
    let is_kept = Duration::from_mins(1);
    world.database().fail(PUT, LostAnswer, 1);
    assert_eq!(world.service().store.use_nonce(&key, "n", now, is_kept).await, Ok(true));
    assert_eq!(world.service().store.use_nonce(&key, "n", now, is_kept).await, Ok(false));
}

#[tokio::test]
async fn a_caller_is_told_to_come_again_where_the_table_stays_busy() {
    let world = World::start().await;
    let image = image(&world).await;
    let function = Function::new(world.service().clone(), authenticator());
    let batch = json!({"images": [image], "projects": ["a"]});
    let batch = || HttpEvent::new("POST /v1/cloudimages/members", "/v1/cloudimages/members").json(&batch);
    let member = || {
        let event =
            HttpEvent::new("POST /v2/images/{image_id}/members", &format!("/v2/images/{image}/members"));
        event.json(&json!({"member": "a"}))
    };
    let ask = async |event: HttpEvent| {
        let event = event.token(&World::token("owner", "member"));
        let (begun, end) = (Instant::now(), Timestamp::now().plus(Duration::from_secs(2)));
        let answer = send(&function, &event, Some(end)).await;
        // Where nobody names an end it takes eight seconds; a machine that is busy may add some to two.
        assert!(begun.elapsed() < Duration::from_secs(7), "the end was not looked at");
        if answer.status == 503 {
            assert!(begun.elapsed() > Duration::from_millis(500), "not tried as long as there is time");
        }
        (answer.status, answer.headers.get("retry-after").cloned())
    };
    let busy = (503, Some("1".to_owned()));
    for fault in [Throttled, Overloaded, Conflict, Broken] {
        world.database().fail(PUT, fault, FOR_EVER);
        world.database().fail(TRANSACTION, fault, FOR_EVER);
        assert_eq!(ask(batch()).await, busy, "{fault:?}");
        assert_eq!(ask(member()).await, busy, "{fault:?}");
        world.database().heal();
    }
    for fault in [Unread, Throttled, Silence] {
        world.database().fail(BATCH_READ, fault, FOR_EVER);
        assert_eq!(ask(member()).await, busy, "{fault:?}");
        world.database().heal();
    }
    assert_eq!((work(&world).await, members(&world, &image).await), (0, (0, 0)), "nothing was changed");
    assert_eq!(ask(batch()).await.0, 200);
    let refused = usecases::add_member(world.service(), &caller("owner"), &image, &tenant("owner")).await;
    assert_eq!(refused.unwrap_err(), Refusal::SelfShare(tenant("owner")));
}

#[tokio::test]
async fn a_list_whose_later_page_fails_is_read_to_its_end_or_not_at_all() {
    let world = World::start().await;
    let image = image(&world).await;
    for name in ["a", "b", "c"] {
        usecases::add_member(world.service(), &caller("owner"), &image, &tenant(name)).await.unwrap();
    }
    for fault in [Throttled, Broken] {
        world.database().fail("Query", ShortPage, 1);
        world.database().fail("Query", fault, 1);
        let page =
            usecases::list_members(world.service(), &caller("owner"), &image, None, 100).await.unwrap();
        assert_eq!((page.members.len(), world.database().faults_left()), (3, 0), "{fault:?}");
    }
    world.database().fail("Query", ShortPage, 1);
    world.database().fail("Query", Throttled, FOR_EVER);
    let soon = world.service().until(tokio::time::Instant::now() + Duration::from_millis(100));
    let failed = usecases::list_members(&soon, &caller("owner"), &image, None, 100).await;
    assert!(matches!(&failed, Err(Refusal::Store(problem)) if problem.is_passing()), "{failed:?}");
    world.database().heal();
}

#[tokio::test]
async fn a_job_is_read_to_its_end_however_its_pages_are_cut() {
    let world = World::start().await;
    let image = image(&world).await;
    let to: Vec<_> = (0..202).map(|number| tenant(&format!("t{number}"))).collect();
    let owner = caller("owner");
    let job = usecases::share(world.service(), &owner, vec![image], to, None).await.unwrap();
    assert_eq!(work(&world).await, 2, "pieces, each an item of its own");
    world.database().fail("Query", ShortPage, 2);
    let report = usecases::job_status(world.service(), &owner, job).await.unwrap();
    assert_eq!(
        (report.status(), report.done(), world.database().faults_left()),
        (JobStatus::Success, 202, 0)
    );
}

#[tokio::test]
async fn a_worker_whose_time_is_over_gives_the_piece_back_and_the_job_resumes() {
    let world = World::start().await;
    let image = image(&world).await;
    let to: Vec<_> = (0..110).map(|number| tenant(&format!("t{number}"))).collect();
    let (owner, images) = (caller("owner"), vec![image.clone()]);
    let job = usecases::share(world.service(), &owner, images, to, None).await.unwrap();
    let keys = open_pieces(&world).await;
    // One step is made, and of the second the answer never comes.
    world.database().stall_after(1);
    // Long enough for the first step on whatever machine.
    let soon = world.service().until(tokio::time::Instant::now() + Duration::from_secs(4));
    assert!(matches!(carry_out(&soon, keys[0]).await, Err(StoreError::InDoubt(_))));
    let done = usecases::job_status(world.service(), &owner, job).await.unwrap().done();
    assert!((1..110).contains(&done), "{done}");
    world.database().resume();
    assert_eq!(work(&world).await, 1);
    let report = usecases::job_status(world.service(), &owner, job).await.unwrap();
    assert_eq!((report.status(), members(&world, &image).await), (JobStatus::Success, (110, 110)));
}
