//! Share, decide, unshare and delete over the embedded table: the contents of the table at the end, whatever happened
//! before.

use std::collections::{BTreeMap, HashMap, HashSet};

use imageshare::App;
use imageshare::domain::{
    Clock, Denied, Details, ImageId, Job, JobId, JobStatus, Limits, Outcome, Stamp, Status, Task, Tenant,
    Timestamp, Visibility,
};
use imageshare::store::{
    Commit, EnqueueOutcome, IdempotencyRequest, MemberUpdate, Store, SubmitOutcome, UpdateOutcome,
};
use imageshare::table::{AttributeValue, Table, Write};
use imageshare::usecases::{self, IfShared, NewImage, UseCaseError, execute, sweep};
use imageshare_tests::local_service::{LocalService, all_items, caller, job_at, tenant};
use imageshare_tests::racing_table::{Race, Raced, RacingTable};
use imageshare_tests::totals;

async fn members(world: &LocalService, image: &ImageId) -> HashMap<String, Status> {
    let (members, more) = world.service.store.members(image, None, 1000).await.unwrap();
    assert!(!more);
    members.into_iter().map(|member| (member.tenant.to_string(), member.status)).collect()
}

async fn share(world: &LocalService, images: &[ImageId], tenants: &[&str]) -> JobId {
    let tenants: Vec<_> = tenants.iter().map(|id| tenant(id)).collect();
    usecases::share(&world.service, &caller("owner"), images.to_vec(), tenants, None).await.unwrap()
}

async fn unshare(world: &LocalService, images: &[ImageId], tenants: &[&str]) -> JobId {
    let tenants: Vec<_> = tenants.iter().map(|id| tenant(id)).collect();
    usecases::unshare(&world.service, &caller("owner"), images.to_vec(), tenants, None).await.unwrap()
}

async fn respond(world: &LocalService, image: &ImageId, recipient: &str, status: Status) -> JobId {
    let images = vec![image.clone()];
    usecases::respond(&world.service, &caller(recipient), tenant(recipient), images, (status, None), None)
        .await
        .unwrap()
}

#[tokio::test]
async fn image_is_shared_accepted_rejected_and_unshared() {
    let world = LocalService::start(Limits::default());
    let image = world.create_image("owner").await;
    let job = share(&world, std::slice::from_ref(&image), &["a", "b"]).await;
    assert_eq!(world.job_report(job).await.status(), JobStatus::Success, "it is done when it is answered");
    let pending = HashMap::from([("a".to_owned(), Status::Pending), ("b".to_owned(), Status::Pending)]);
    assert_eq!(members(&world, &image).await, pending);

    respond(&world, &image, "a", Status::Accepted).await;
    respond(&world, &image, "b", Status::Rejected).await;
    let stranger = respond(&world, &image, "c", Status::Accepted).await;
    world.run_open_work().await;
    assert_eq!(members(&world, &image).await["a"], Status::Accepted);
    assert_eq!(members(&world, &image).await["b"], Status::Rejected);
    let report = world.job_report(stranger).await;
    assert_eq!(report.failures().map(|(_, _, outcome)| outcome).collect::<Vec<_>>(), [Outcome::NotAMember]);

    unshare(&world, std::slice::from_ref(&image), &["a", "nobody"]).await;
    world.run_open_work().await;
    assert_eq!(members(&world, &image).await.keys().collect::<Vec<_>>(), ["b"]);
    assert_eq!(world.member_count(&image).await, 1);
}

#[tokio::test]
async fn decision_does_not_reveal_images_that_are_not_shared() {
    let world = LocalService::start(Limits::default());
    let image = world.create_image("owner").await;
    let existing = respond(&world, &image, "stranger", Status::Accepted).await;
    let unknown = respond(&world, &ImageId::random(), "stranger", Status::Accepted).await;
    world.run_open_work().await;
    let outcome =
        async |job| world.job_report(job).await.outcomes().map(|(_, _, outcome)| outcome).collect::<Vec<_>>();
    assert_eq!(outcome(existing).await, outcome(unknown).await);
}

#[tokio::test]
async fn recipient_limit_is_exact_under_concurrency() {
    let world = LocalService::start(Limits { members_per_image: 20, ..Limits::default() });
    let image = world.create_image("owner").await;
    let mut jobs = Vec::new();
    for number in 0..25 {
        let tenants = [format!("t{}", 2 * number), format!("t{}", 2 * number + 1)];
        jobs.push(share(&world, std::slice::from_ref(&image), &[&tenants[0], &tenants[1]]).await);
    }
    let workers = world.open_work_items().await.into_iter().map(|key| {
        let service = world.service.clone();
        tokio::spawn(async move { execute(&service, key).await })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap().unwrap();
    }
    assert_eq!(members(&world, &image).await.len(), 20);
    assert_eq!(world.member_count(&image).await, 20);
    let mut failed = 0;
    for job in jobs {
        failed +=
            world.job_report(job).await.failures().filter(|(_, _, o)| *o == Outcome::MemberLimit).count();
    }
    assert_eq!(failed, 30);
}

#[tokio::test]
async fn concurrent_workers_execute_a_work_item_once() {
    let world = LocalService::start(Limits::default());
    let image = world.create_image("owner").await;
    let tenants: Vec<String> = (0..100).map(|n| format!("t{n}")).collect();
    let job =
        share(&world, std::slice::from_ref(&image), &tenants.iter().map(String::as_str).collect::<Vec<_>>())
            .await;
    let key = world.open_work_items().await[0];
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let service = world.service.clone();
            tokio::spawn(async move { execute(&service, key).await })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap().unwrap();
    }
    let report = world.job_report(job).await;
    assert_eq!((report.status(), report.done_count()), (JobStatus::Success, 100));
    assert_eq!(world.member_count(&image).await, 100);
}

#[tokio::test]
async fn batch_of_10000_pairs_is_executed_completely() {
    let world = LocalService::start(Limits { images_per_tenant: 200, ..Limits::default() });
    let mut images = Vec::new();
    for _ in 0..100 {
        images.push(world.create_image("owner").await);
    }
    let tenants: Vec<String> = (0..100).map(|n| format!("t{n}")).collect();
    let job = share(&world, &images, &tenants.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(world.job_report(job).await.status(), JobStatus::Init);
    for done in 0..50 {
        let work_items = world.open_work_items().await;
        assert_eq!(work_items.len(), 8.min(50 - done), "a large job has few open work items");
        assert_eq!(world.job_report(job).await.percent(), done * 2);
        execute(&world.service, work_items[0]).await.unwrap();
    }
    let report = world.job_report(job).await;
    assert_eq!((report.status(), report.percent()), (JobStatus::Success, 100));
    let pairs: HashSet<_> =
        report.outcomes().map(|(image, tenant, _)| (image.clone(), tenant.clone())).collect();
    assert_eq!(pairs.len(), 10_000);
    assert_eq!(world.member_count(&images[99]).await, 100);
}

#[tokio::test]
async fn batch_of_any_shape_is_executed_completely() {
    let limits = Limits {
        images_per_tenant: 1_000,
        members_per_image: 1_000,
        pending_per_owner: 1_000,
        ..Limits::default()
    };
    for (images, tenants) in [(1_000, 3), (3, 1_000), (13, 230)] {
        let world = LocalService::start(limits);
        let mut created = Vec::new();
        for _ in 0..images {
            created.push(world.create_image("owner").await);
        }
        let recipients: Vec<String> = (0..tenants).map(|n| format!("t{n}")).collect();
        let job = share(&world, &created, &recipients.iter().map(String::as_str).collect::<Vec<_>>()).await;
        world.run_open_work().await;
        let report = world.job_report(job).await;
        assert_eq!((report.status(), report.outcomes().count()), (JobStatus::Success, images * tenants));
        let recipient = tenant("t0");
        let accept = (Status::Accepted, None);
        let me = caller("t0");
        let job =
            usecases::respond(&world.service, &me, recipient, created.clone(), accept, None).await.unwrap();
        world.run_open_work().await;
        let report = world.job_report(job).await;
        assert_eq!((report.status(), report.outcomes().count()), (JobStatus::Success, images));
        totals::assert_consistent(&world.embedded);
    }
}

#[tokio::test]
async fn deleting_an_image_ends_its_memberships_and_retires_its_id() {
    let world = LocalService::start(Limits::default());
    let image = world.create_image("owner").await;
    share(&world, std::slice::from_ref(&image), &["a", "b"]).await;
    world.run_open_work().await;
    let at = world.service.clock().stamp();
    let late = job_at(at, "owner", Task::Share, vec![image.clone()], vec![tenant("c")]);
    world.queue_job(&late).await;
    usecases::delete_image(&world.service, &caller("owner"), &image).await.unwrap();
    world.run_open_work().await;
    assert_eq!(members(&world, &image).await, HashMap::new());
    let outcomes: Vec<_> =
        world.job_report(late.id).await.outcomes().map(|(_, _, outcome)| outcome).collect();
    assert_eq!(outcomes, [Outcome::ImageDeleted]);
    let again = usecases::NewImage {
        id: Some(image.clone()),
        owner: None,
        visibility: imageshare::domain::Visibility::Shared,
        details: imageshare::domain::Details::default(),
    };
    let refused = usecases::register_image(&world.service, &caller("somebody"), again, None).await;
    assert_eq!(refused.unwrap_err(), UseCaseError::IdTaken(image));
}

/// Everything that is stored, in the order of the table's scan.
fn sorted_items(world: &LocalService) -> Vec<BTreeMap<String, String>> {
    let items = all_items(&world.embedded).into_iter();
    items.map(|item| item.into_iter().map(|(name, value)| (name, format!("{value:?}"))).collect()).collect()
}

#[tokio::test]
async fn shared_image_is_not_deleted_unless_shared() {
    let world = LocalService::start(Limits::default());
    let image = world.create_image("owner").await;
    share(&world, std::slice::from_ref(&image), &["a", "b", "c"]).await;
    world.run_open_work().await;
    respond(&world, &image, "a", Status::Accepted).await;
    respond(&world, &image, "b", Status::Rejected).await;
    world.run_open_work().await;
    let delete = async |by: &str| {
        usecases::delete_image_if(&world.service, &caller(by), &image, IfShared::Refuse, |_| Ok(())).await
    };
    let before = sorted_items(&world);
    let refused = UseCaseError::StillShared { image: image.clone(), members: 3 };
    assert_eq!(delete("owner").await, Err(refused));
    assert_eq!(sorted_items(&world), before, "something was written");
    let missing = Err(UseCaseError::Denied(Denied::ImageNotFound(image.clone())));
    assert_eq!(delete("stranger").await, missing);
    assert!(matches!(delete("a").await, Err(UseCaseError::Denied(_))));

    unshare(&world, std::slice::from_ref(&image), &["a", "b", "c"]).await;
    world.run_open_work().await;
    assert_eq!(delete("owner").await, Ok(()));
    assert_eq!(delete("owner").await, missing);
    totals::assert_consistent(&world.embedded);
}

#[tokio::test]
async fn deletion_unless_shared_is_ordered_with_a_share() {
    let race = Race::default();
    let world =
        LocalService::start_with_table(Limits::default(), |lane| RacingTable::new(lane, race.clone()));
    let store = Store::new(world.table.clone(), Clock::for_server());
    let direct = App { store, ..world.service.clone() };
    let (owner, recipient) = (caller("owner"), tenant("a"));
    let delete = async |app: &App, image: &ImageId| {
        usecases::delete_image_if(app, &caller("owner"), image, IfShared::Refuse, |_| Ok(())).await
    };

    // The share comes between the deletion's read and its write.
    let image = world.create_image("owner").await;
    let (app, shared) = (direct.clone(), image.clone());
    race.arm(async move {
        usecases::add_member(&app, &caller("owner"), &shared, &tenant("a"), None).await.unwrap();
    });
    let deleted = delete(&world.service, &image).await;
    assert_eq!(race.result(), Some(Raced::Conflict));
    assert_eq!(deleted, Err(UseCaseError::StillShared { image: image.clone(), members: 1 }));
    assert_eq!(members(&world, &image).await, HashMap::from([("a".to_owned(), Status::Pending)]));

    // The deletion comes between the share's read and its write.
    let image = world.create_image("owner").await;
    let (app, deleted) = (direct, image.clone());
    race.arm(async move {
        let caller = caller("owner");
        usecases::delete_image_if(&app, &caller, &deleted, IfShared::Refuse, |_| Ok(())).await.unwrap();
    });
    let shared = usecases::add_member(&world.service, &owner, &image, &recipient, None).await;
    assert_eq!(race.result(), Some(Raced::Conflict));
    assert_eq!(shared.unwrap_err(), UseCaseError::Denied(Denied::ImageNotFound(image.clone())));
    assert_eq!(members(&world, &image).await, HashMap::new());
}

#[tokio::test]
async fn deletion_conflicts_when_members_change_in_between() {
    let world = LocalService::start(Limits::default());
    let id = world.create_image("owner").await;
    share(&world, std::slice::from_ref(&id), &["a"]).await;
    world.run_open_work().await;
    let (image, recipients) =
        (world.read_image(&id).await, world.service.store.recipients(&id).await.unwrap());
    assert_eq!(recipients.tenants, [tenant("a")]);
    unshare(&world, std::slice::from_ref(&id), &["a"]).await;
    share(&world, std::slice::from_ref(&id), &["b"]).await;
    world.run_open_work().await;
    let unshare = Job { task: Task::Unshare, ..overdue_job(&id, "a") };
    let deleted = world.service.store.delete_image(&image, MemberUpdate::Change(&recipients, &unshare)).await;
    assert_eq!(deleted, Ok(Commit::Conflict), "it has as many members as before, but others");
    assert_eq!(members(&world, &id).await, HashMap::from([("b".to_owned(), Status::Pending)]));
}

#[tokio::test]
async fn image_limit_is_exact_and_deletion_frees_a_slot() {
    let world = LocalService::start(Limits { images_per_tenant: 2, ..Limits::default() });
    let first = world.create_image("owner").await;
    world.create_image("owner").await;
    let new = || usecases::NewImage {
        id: None,
        owner: None,
        visibility: imageshare::domain::Visibility::Shared,
        details: imageshare::domain::Details::default(),
    };
    let refused = usecases::register_image(&world.service, &caller("owner"), new(), None).await;
    assert_eq!(refused.unwrap_err(), UseCaseError::TooManyImages(2));
    usecases::delete_image(&world.service, &caller("owner"), &first).await.unwrap();
    usecases::register_image(&world.service, &caller("owner"), new(), None).await.unwrap();
}

#[tokio::test]
async fn retry_returns_its_job_after_the_image_is_deleted() {
    let world = LocalService::start(Limits::default());
    let image = world.create_image("owner").await;
    let request = |key: &str, request: &str| {
        let digests = (key.repeat(64), request.repeat(64));
        Some(IdempotencyRequest { tenant: tenant("owner"), key_digest: digests.0, request_digest: digests.1 })
    };
    let owner = caller("owner");
    let share = async |remembered| {
        usecases::share(&world.service, &owner, vec![image.clone()], vec![tenant("a")], remembered).await
    };
    let unshare = async |remembered| {
        usecases::unshare(&world.service, &owner, vec![image.clone()], vec![tenant("a")], remembered).await
    };
    let shared = share(request("1", "s")).await.unwrap();
    let unshared = unshare(request("2", "u")).await.unwrap();
    usecases::delete_image(&world.service, &owner, &image).await.unwrap();
    assert_eq!(share(request("1", "s")).await, Ok(shared));
    assert_eq!(unshare(request("2", "u")).await, Ok(unshared));
    assert_eq!(share(request("1", "x")).await, Err(UseCaseError::IdempotencyKeyReused));
    assert_eq!(share(request("3", "s")).await, Err(Denied::ImageNotFound(image.clone()).into()));
    assert_eq!(share(None).await, Err(Denied::ImageNotFound(image.clone()).into()));
}

fn overdue_job(image: &ImageId, recipient: &str) -> Job {
    let long_ago = Timestamp::now().minus(std::time::Duration::from_mins(2));
    job_at(Stamp::first_of(long_ago), "owner", Task::Share, vec![image.clone()], vec![tenant(recipient)])
}

fn one_minute_from_now() -> Timestamp {
    Timestamp::now().plus(std::time::Duration::from_mins(1))
}

#[tokio::test]
async fn resubmitted_job_is_stored_and_started_once() {
    let world = LocalService::start(Limits::default());
    let image = world.create_image("owner").await;
    let job = overdue_job(&image, "a");
    let queues = [(tenant("owner"), Tenant::default())];
    let submit = |job| world.service.store.enqueue_job(job, &queues, u32::MAX, None);
    let accepted = EnqueueOutcome::Submitted(SubmitOutcome::Accepted);
    assert_eq!(submit(&job).await.unwrap(), accepted);
    assert_eq!(submit(&job).await.unwrap(), accepted);
    world.run_open_work().await;
    assert_eq!(submit(&job).await.unwrap(), accepted);
    assert_eq!(world.job_report(job.id).await.status(), JobStatus::Success);
    assert!(world.open_work_items().await.is_empty());
    let other = Job { images: vec![world.create_image("owner").await], ..job.clone() };
    assert_eq!(submit(&other).await.unwrap(), EnqueueOutcome::Conflict);
}

#[tokio::test]
async fn sweep_executes_overdue_work_items() {
    let world = LocalService::start(Limits::default());
    let image = world.create_image("owner").await;
    let job = overdue_job(&image, "a");
    world.queue_job(&job).await;
    let images = vec![image.clone()];
    let fresh =
        job_at(world.service.clock().stamp_ahead([]), "owner", Task::Share, images, vec![tenant("b")]);
    world.queue_job(&fresh).await;
    let swept = sweep(&world.service, one_minute_from_now()).await.unwrap();
    assert_eq!((swept.executed, swept.failed, swept.remaining), (1, 0, 0));
    assert_eq!(world.job_report(job.id).await.status(), JobStatus::Success);
    assert_eq!(world.job_report(fresh.id).await.status(), JobStatus::Init);
}

#[tokio::test]
async fn job_that_keeps_failing_is_marked_failed() {
    let world = LocalService::start(Limits::default());
    let image = world.create_image("owner").await;
    let job = overdue_job(&image, "a");
    world.queue_job(&job).await;
    let item =
        [("pk", format!("I#{image}")), ("sk", "M#a".into()), ("membership", "not a membership".into())];
    let item = item.map(|(name, text)| (name.to_owned(), AttributeValue::S(text)));
    world.table.write_item(&Write::put(item.into())).await.unwrap();
    for _ in 0..10 {
        assert_eq!(sweep(&world.service, one_minute_from_now()).await.unwrap().remaining, 1);
        assert_eq!(world.job_report(job.id).await.ended_at(), None);
    }
    assert_eq!(sweep(&world.service, one_minute_from_now()).await.unwrap().failed, 1);
    let report = world.job_report(job.id).await;
    assert_eq!(report.status(), JobStatus::Fail);
    assert_eq!(
        report.outcomes().map(|(_, _, outcome)| outcome).collect::<Vec<_>>(),
        [Outcome::RetriesExhausted]
    );
}

#[tokio::test]
async fn deleted_image_leaves_only_its_key() {
    let world = LocalService::start(Limits::default());
    let (alone, shared) = (world.create_image("owner").await, world.create_image("owner").await);
    share(&world, std::slice::from_ref(&shared), &["a"]).await;
    world.run_open_work().await;
    for image in [alone, shared] {
        usecases::delete_image(&world.service, &caller("owner"), &image).await.unwrap();
        world.run_open_work().await;
        let key = [("pk", format!("I#{image}")), ("sk", "H".to_owned())];
        let key = key.map(|(name, text)| (name.to_owned(), AttributeValue::S(text))).into();
        let tombstone = world.table.get_item(&key).await.unwrap().items.remove(0);
        let mut left: Vec<_> = tombstone.keys().map(String::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["pk", "sk"]);
        let again = Details::default();
        let again = NewImage { id: Some(image), owner: None, visibility: Visibility::Shared, details: again };
        let refused = usecases::register_image(&world.service, &caller("owner"), again, None).await;
        assert!(matches!(refused, Err(UseCaseError::IdTaken(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn update_of_an_old_revision_conflicts() {
    let world = LocalService::start(Limits::default());
    let id = world.create_image("owner").await;
    let read = world.read_image(&id).await;
    let mut image = read.clone();
    image.details.name = Some("new".to_owned());
    image.revision += 1;
    let update =
        async || world.service.store.update_image(&read, &image, MemberUpdate::RequireNone).await.unwrap();
    assert_eq!(update().await, UpdateOutcome::Updated);
    assert_eq!(update().await, UpdateOutcome::Conflict);
}

/// A recipient does not consent to what it cannot see, and can empty its inbox all the same.
#[tokio::test]
async fn hidden_image_can_be_rejected_but_not_accepted() {
    let world = LocalService::start(Limits::default());
    let image = world.create_image("owner").await;
    share(&world, std::slice::from_ref(&image), &["a", "b"]).await;
    let hide = |image: &mut imageshare::domain::Image| -> Result<(), UseCaseError> {
        image.visibility = Visibility::Private;
        Ok(())
    };
    usecases::update_image(&world.service, &caller("owner"), &image, hide).await.unwrap();
    let accepted = respond(&world, &image, "a", Status::Accepted).await;
    let rejected = respond(&world, &image, "b", Status::Rejected).await;
    let outcomes = async |job| {
        let report = world.job_report(job).await;
        report.outcomes().map(|(_, _, outcome)| outcome).collect::<Vec<_>>()
    };
    assert_eq!(outcomes(accepted).await, [Outcome::NotAMember]);
    assert_eq!(outcomes(rejected).await, [Outcome::Done]);
    assert_eq!(members(&world, &image).await["a"], Status::Pending);
    assert_eq!(members(&world, &image).await["b"], Status::Rejected);

    let decision = (Ok(Status::Accepted), None);
    let (recipient, member) = (caller("a"), tenant("a"));
    let glance = usecases::decide_as_member(&world.service, &recipient, &image, &member, decision).await;
    assert!(matches!(glance, Err(UseCaseError::Denied(Denied::ImageNotFound(_)))), "{glance:?}");
}
