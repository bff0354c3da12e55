//! Seed 001: "To accept all the shared images, click Accept All": everything that is pending at that moment, in one
//! job.

use std::collections::HashSet;
use std::time::Duration;

use imageshare::domain::{
    Denied, ImageId, JobId, JobStatus, Limits, Outcome, Protection, Stamp, Status, Task, Timestamp,
    VaultDetails, VaultStatus, Visibility,
};
use imageshare::store::List;
use imageshare::table::{AttributeValue, Table, Write};
use imageshare::usecases::{self, UseCaseError, execute, sweep};
use imageshare_tests::local_service::{LocalService, caller, job_at, tenant};
use imageshare_tests::totals;

use super::{FULL_ECS, member_status, respond_and_execute, share_and_execute, start_service};

async fn respond_to_all(world: &LocalService, tenant_id: &str, status: Status, vault: Option<&str>) -> JobId {
    let decision = (status, vault.map(|id| id.parse().unwrap()));
    usecases::respond_to_all(&world.service, &caller(tenant_id), tenant(tenant_id), decision, None)
        .await
        .unwrap()
}

async fn create_pending_images(world: &LocalService, how_many: usize) -> Vec<ImageId> {
    let mut images = Vec::new();
    for _ in 0..how_many {
        images.push(world.create_image("owner").await);
    }
    for some in images.chunks(100) {
        share_and_execute(world, some, &["a", "b"]).await;
    }
    images
}

#[tokio::test]
async fn respond_to_all_covers_every_pending_image_in_one_job() {
    let world = start_service(Limits::default());
    let images = create_pending_images(&world, 230).await;
    let job = respond_to_all(&world, "a", Status::Accepted, None).await;
    assert_eq!(world.job_report(job).await.status(), JobStatus::Init);
    world.run_open_work().await;
    totals::assert_consistent(&world.embedded);
    let report = world.job_report(job).await;
    assert_eq!(
        (report.status(), report.percent(), report.outcomes().count()),
        (JobStatus::Success, 100, 230)
    );
    for image in &images {
        assert_eq!(member_status(&world, image, "a").await, Some(Status::Accepted));
        assert_eq!(
            member_status(&world, image, "b").await,
            Some(Status::Pending),
            "images of other tenants are unchanged"
        );
    }
    let nothing = respond_to_all(&world, "a", Status::Rejected, None).await;
    world.run_open_work().await;
    let report = world.job_report(nothing).await;
    assert_eq!((report.status(), report.outcomes().count()), (JobStatus::Success, 0));
}

#[tokio::test]
async fn respond_to_all_skips_later_shares() {
    let world = start_service(Limits::default());
    let images = create_pending_images(&world, 3).await;
    respond_and_execute(&world, &images[..1], "a", (Status::Rejected, None)).await;
    let job = respond_to_all(&world, "a", Status::Accepted, None).await;
    // Shared again, and for the first time, before the job is executed.
    remove_member(&world, &images[1]).await;
    let late = world.create_image("owner").await;
    for image in [&images[1], &late] {
        usecases::add_member(&world.service, &caller("owner"), image, &tenant("a"), None).await.unwrap();
    }
    world.run_open_work().await;
    let report = world.job_report(job).await;
    let found: Vec<_> = report.outcomes().map(|(image, _, outcome)| (image.clone(), outcome)).collect();
    assert_eq!(found, [(images[2].clone(), Outcome::Done)]);
    let statuses = [Status::Rejected, Status::Pending, Status::Accepted];
    for (image, expected) in images.iter().zip(statuses) {
        assert_eq!(member_status(&world, image, "a").await, Some(expected));
    }
    assert_eq!(member_status(&world, &late, "a").await, Some(Status::Pending));
}

#[tokio::test]
async fn respond_to_all_does_not_accept_hidden_images() {
    let world = start_service(Limits::default());
    let images = create_pending_images(&world, 3).await;
    let show = async |visibility| {
        let change = |image: &mut imageshare::domain::Image| {
            image.visibility = visibility;
            Ok::<_, UseCaseError>(())
        };
        usecases::update_image(&world.service, &caller("owner"), &images[1], change).await.unwrap();
    };
    show(Visibility::Private).await;
    let job = respond_to_all(&world, "a", Status::Accepted, None).await;
    world.run_open_work().await;
    let report = world.job_report(job).await;
    assert_eq!((report.status(), report.percent(), report.outcomes().count()), (JobStatus::Success, 100, 2));
    show(Visibility::Shared).await;
    let status_of = async |image| member_status(&world, image, "a").await.unwrap();
    assert_eq!(status_of(&images[1]).await, Status::Pending, "the old statuses are in force again");

    // A hidden image is pending but not visible, and does not count against the limits.
    show(Visibility::Private).await;
    world.run_open_work().await;
    respond_to_all(&world, "a", Status::Rejected, None).await;
    world.run_open_work().await;
    totals::assert_consistent(&world.embedded);
    let list = List::Received(tenant("a"), Status::Pending);
    assert_eq!(world.service.store.count_list(&list, 10_000).await.unwrap(), 0);
    show(Visibility::Shared).await;
    world.run_open_work().await;
    assert_eq!(world.service.store.count_list(&list, 10_000).await.unwrap(), 1);
    let statuses = [Status::Accepted, Status::Pending, Status::Accepted];
    for (image, expected) in images.iter().zip(statuses) {
        assert_eq!(status_of(image).await, expected);
    }
}

async fn remove_member(world: &LocalService, image: &ImageId) {
    usecases::remove_member(&world.service, &caller("owner"), image, &tenant("a")).await.unwrap();
}

#[tokio::test]
async fn respond_to_all_reserves_until_the_vault_is_full() {
    let world = start_service(Limits::default());
    let mut images = Vec::new();
    for _ in 0..3 {
        images.push(world.create_image_with("owner", &FULL_ECS).await);
    }
    images.push(world.create_image("owner").await);
    share_and_execute(&world, &images, &["a"]).await;
    let details =
        VaultDetails { protection: Protection::Backup, status: VaultStatus::Available, capacity_gib: 130 };
    usecases::put_vault(&world.service, &caller("a"), "v".parse().unwrap(), &details).await.unwrap();
    let job = respond_to_all(&world, "a", Status::Accepted, Some("v")).await;
    world.run_open_work().await;
    totals::assert_consistent(&world.embedded);
    let report = world.job_report(job).await;
    let failed: Vec<_> = report.failures().map(|(image, _, outcome)| (image.clone(), outcome)).collect();
    let [(left, Outcome::VaultFull)] = failed.as_slice() else { panic!("{failed:?}") };
    assert_eq!((report.status(), report.outcomes().count()), (JobStatus::Fail, 4));
    for image in &images {
        let expected = if image == left { Status::Pending } else { Status::Accepted };
        assert_eq!(member_status(&world, image, "a").await, Some(expected));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_workers_and_decisions_leave_one_decision_each() {
    // They do not always conflict at the same step.
    for _ in 0..10 {
        run_workers_and_decisions_concurrently().await;
    }
}

async fn run_workers_and_decisions_concurrently() {
    let world = start_service(Limits::default());
    let images = create_pending_images(&world, 120).await;
    let job = respond_to_all(&world, "a", Status::Accepted, None).await;
    let key = world.open_work_items().await[0];
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let service = world.service.clone();
            tokio::spawn(async move { execute(&service, key).await })
        })
        .collect();
    for image in images.iter().step_by(10) {
        let decision = (Ok(Status::Rejected), None);
        let a = caller("a");
        usecases::decide_as_member(&world.service, &a, image, &a.tenant, decision).await.unwrap();
    }
    for worker in workers {
        worker.await.unwrap().unwrap();
    }
    totals::assert_consistent(&world.embedded);
    let report = world.job_report(job).await;
    assert_eq!(report.status(), JobStatus::Success);
    for (number, image) in images.iter().enumerate() {
        let expected = if number % 10 == 0 { Status::Rejected } else { Status::Accepted };
        assert_eq!(member_status(&world, image, "a").await, Some(expected));
    }
    let accepted =
        world.service.store.count_list(&List::Received(tenant("a"), Status::Accepted), 10_000).await.unwrap();
    assert_eq!(accepted, 108);
    let reported: Vec<_> = report.outcomes().map(|(image, _, _)| image).collect();
    let each: HashSet<_> = reported.iter().copied().collect();
    assert_eq!(reported.len(), each.len(), "the job reports each once");
    for (number, image) in images.iter().enumerate().filter(|(number, _)| number % 10 > 0) {
        assert!(each.contains(image), "the job does not report image {number}, which it has decided on");
    }
}

#[tokio::test]
async fn abandoned_respond_to_all_job_is_swept() {
    let world = start_service(Limits::default());
    let images = create_pending_images(&world, 60).await;
    let an_hour_ago = Timestamp::now().minus(Duration::from_hours(1));
    let task = Task::RespondToAll { status: Status::Rejected, vault: None, expected: 60 };
    let job = job_at(Stamp::first_of(an_hour_ago), "a", task, Vec::new(), vec![tenant("a")]);
    world.queue_job(&job).await;
    let a_minute_later = Timestamp::now().plus(Duration::from_mins(1));
    assert_eq!(sweep(&world.service, a_minute_later).await.unwrap().executed, 1);
    let report = world.job_report(job.id).await;
    assert_eq!((report.status(), report.outcomes().count()), (JobStatus::Success, 0), "all was shared later");
    assert_eq!(member_status(&world, &images[0], "a").await, Some(Status::Pending));
}

#[tokio::test]
async fn failed_respond_to_all_job_reports_every_pair_as_failed() {
    let world = start_service(Limits::default());
    let images = create_pending_images(&world, 3).await;
    let job = respond_to_all(&world, "a", Status::Accepted, None).await;
    let key = world.open_work_items().await[0];
    usecases::fail_remaining(&world.service, key).await.unwrap();
    let report = world.job_report(job).await;
    let outcomes: Vec<_> = report.outcomes().map(|(_, _, outcome)| outcome).collect();
    assert_eq!((report.status(), outcomes), (JobStatus::Fail, vec![Outcome::RetriesExhausted; 3]));
    assert_eq!(member_status(&world, &images[0], "a").await, Some(Status::Pending));
}

#[tokio::test]
async fn unreadable_membership_does_not_block_the_end_of_a_job() {
    let world = start_service(Limits::default());
    let images = create_pending_images(&world, 2).await;
    let job = respond_to_all(&world, "a", Status::Accepted, None).await;
    let key = world.open_work_items().await[0];
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let membership =
        [("pk".to_owned(), text(&format!("I#{}", images[0]))), ("sk".to_owned(), text("M#a"))].into();
    let spoil = Write::update(membership, "SET membership = :bad").value(":bad", text("?"));
    world.table.write_item(&spoil).await.unwrap();
    assert!(execute(&world.service, key).await.is_err());
    usecases::fail_remaining(&world.service, key).await.unwrap();
    let report = world.job_report(job).await;
    assert_eq!((report.status(), report.failures().count()), (JobStatus::Fail, 2));
}

#[tokio::test]
async fn only_the_project_itself_responds_to_all() {
    let world = start_service(Limits::default());
    let decision = (Status::Accepted, None);
    let stranger = caller("stranger");
    let refused = usecases::respond_to_all(&world.service, &stranger, tenant("a"), decision, None).await;
    let named = tenant("a");
    assert_eq!(refused, Err(Denied::ProjectMismatch { acting: stranger.tenant, named }.into()));
    assert!(world.open_work_items().await.is_empty());
}
