//! Seed 001: "To accept all the shared images, click Accept All": everything that waits at that moment, in one job.

use std::collections::HashSet;
use std::time::Duration;

use imageshare::domain::{
    ImageId, JobId, JobStatus, Limits, Outcome, Protection, Stamp, Status, Task, Timestamp, VaultDetails,
    VaultStatus, Visibility,
};
use imageshare::store::List;
use imageshare::table::{AttributeValue, Table, Write};
use imageshare::usecases::{self, Refusal, carry_out, sweep};
use imageshare_tests::service::{LocalService, caller, job_at, tenant};
use imageshare_tests::sums;

use super::{FULL_ECS, answered, shared, start, status};

async fn respond_to_all(world: &LocalService, who: &str, status: Status, vault: Option<&str>) -> JobId {
    let said = (status, vault.map(|id| id.parse().unwrap()));
    usecases::respond_to_all(&world.service, &caller(who), tenant(who), said, None).await.unwrap()
}

async fn waiting(world: &LocalService, how_many: usize) -> Vec<ImageId> {
    let mut images = Vec::new();
    for _ in 0..how_many {
        images.push(world.image("owner").await);
    }
    for some in images.chunks(100) {
        shared(world, some, &["a", "b"]).await;
    }
    images
}

#[tokio::test]
async fn everything_that_waits_is_answered_in_one_job_however_much_it_is() {
    let world = start(Limits::default());
    let images = waiting(&world, 230).await;
    let job = respond_to_all(&world, "a", Status::Accepted, None).await;
    assert_eq!(world.report(job).await.status(), JobStatus::Init);
    world.work().await;
    sums::hold(&world.embedded);
    let report = world.report(job).await;
    assert_eq!(
        (report.status(), report.percent(), report.outcomes().count()),
        (JobStatus::Success, 100, 230)
    );
    for image in &images {
        assert_eq!(status(&world, image, "a").await, Some(Status::Accepted));
        assert_eq!(status(&world, image, "b").await, Some(Status::Pending), "nobody else is answered for");
    }
    let nothing = respond_to_all(&world, "a", Status::Rejected, None).await;
    world.work().await;
    let report = world.report(nothing).await;
    assert_eq!((report.status(), report.outcomes().count()), (JobStatus::Success, 0));
}

#[tokio::test]
async fn what_comes_after_the_request_is_not_answered() {
    let world = start(Limits::default());
    let images = waiting(&world, 3).await;
    answered(&world, &images[..1], "a", (Status::Rejected, None)).await;
    let job = respond_to_all(&world, "a", Status::Accepted, None).await;
    // Shared anew, and for the first time, before the job is carried out.
    unshared_by_glance(&world, &images[1]).await;
    let late = world.image("owner").await;
    for image in [&images[1], &late] {
        usecases::add_member(&world.service, &caller("owner"), image, &tenant("a")).await.unwrap();
    }
    world.work().await;
    let report = world.report(job).await;
    let found: Vec<_> = report.outcomes().map(|(image, _, outcome)| (image.clone(), outcome)).collect();
    assert_eq!(found, [(images[2].clone(), Outcome::Done)]);
    let statuses = [Status::Rejected, Status::Pending, Status::Accepted];
    for (image, wanted) in images.iter().zip(statuses) {
        assert_eq!(status(&world, image, "a").await, Some(wanted));
    }
    assert_eq!(status(&world, &late, "a").await, Some(Status::Pending));
}

#[tokio::test]
async fn what_its_owner_hides_is_not_accepted_unseen() {
    let world = start(Limits::default());
    let images = waiting(&world, 3).await;
    let show = async |visibility| {
        let change = |image: &mut imageshare::domain::Image| {
            image.visibility = visibility;
            Ok::<_, Refusal>(())
        };
        usecases::update_image(&world.service, &caller("owner"), &images[1], change).await.unwrap();
    };
    show(Visibility::Private).await;
    let job = respond_to_all(&world, "a", Status::Accepted, None).await;
    world.work().await;
    let report = world.report(job).await;
    assert_eq!((report.status(), report.percent(), report.outcomes().count()), (JobStatus::Success, 100, 2));
    show(Visibility::Shared).await;
    let said = async |image| status(&world, image, "a").await.unwrap();
    assert_eq!(said(&images[1]).await, Status::Pending, "the old statuses are in force again");

    // What is hidden waits out of sight, and takes no place among what does.
    show(Visibility::Private).await;
    world.work().await;
    respond_to_all(&world, "a", Status::Rejected, None).await;
    world.work().await;
    sums::hold(&world.embedded);
    let list = List::Received(tenant("a"), Status::Pending);
    assert_eq!(world.service.store.count(&list, 10_000).await.unwrap(), 0);
    show(Visibility::Shared).await;
    world.work().await;
    assert_eq!(world.service.store.count(&list, 10_000).await.unwrap(), 1);
    let statuses = [Status::Accepted, Status::Pending, Status::Accepted];
    for (image, wanted) in images.iter().zip(statuses) {
        assert_eq!(said(image).await, wanted);
    }
}

async fn unshared_by_glance(world: &LocalService, image: &ImageId) {
    usecases::remove_member(&world.service, &caller("owner"), image, &tenant("a")).await.unwrap();
}

#[tokio::test]
async fn full_ecs_images_go_into_the_vault_as_long_as_there_is_room() {
    let world = start(Limits::default());
    let mut images = Vec::new();
    for _ in 0..3 {
        images.push(world.image_with("owner", &FULL_ECS).await);
    }
    images.push(world.image("owner").await);
    shared(&world, &images, &["a"]).await;
    let details =
        VaultDetails { protection: Protection::Backup, status: VaultStatus::Available, capacity_gib: 130 };
    usecases::put_vault(&world.service, &caller("a"), "v".parse().unwrap(), &details).await.unwrap();
    let job = respond_to_all(&world, "a", Status::Accepted, Some("v")).await;
    world.work().await;
    sums::hold(&world.embedded);
    let report = world.report(job).await;
    let failed: Vec<_> = report.failures().map(|(image, _, outcome)| (image.clone(), outcome)).collect();
    let [(left, Outcome::VaultFull)] = failed.as_slice() else { panic!("{failed:?}") };
    assert_eq!((report.status(), report.outcomes().count()), (JobStatus::Fail, 4));
    for image in &images {
        let wanted = if image == left { Status::Pending } else { Status::Accepted };
        assert_eq!(status(&world, image, "a").await, Some(wanted));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_workers_and_other_answers_at_once_leave_one_answer_each() {
    // They do not always meet in the same place.
    for _ in 0..10 {
        workers_and_other_answers_at_once().await;
    }
}

async fn workers_and_other_answers_at_once() {
    let world = start(Limits::default());
    let images = waiting(&world, 120).await;
    let job = respond_to_all(&world, "a", Status::Accepted, None).await;
    let key = world.open_pieces().await[0];
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let service = world.service.clone();
            tokio::spawn(async move { carry_out(&service, key).await })
        })
        .collect();
    for image in images.iter().step_by(10) {
        let said = (Ok(Status::Rejected), None);
        let a = caller("a");
        usecases::answer_as_member(&world.service, &a, image, &a.tenant, said).await.unwrap();
    }
    for worker in workers {
        worker.await.unwrap().unwrap();
    }
    sums::hold(&world.embedded);
    let report = world.report(job).await;
    assert_eq!(report.status(), JobStatus::Success);
    for (number, image) in images.iter().enumerate() {
        let wanted = if number % 10 == 0 { Status::Rejected } else { Status::Accepted };
        assert_eq!(status(&world, image, "a").await, Some(wanted));
    }
    let accepted =
        world.service.store.count(&List::Received(tenant("a"), Status::Accepted), 10_000).await.unwrap();
    assert_eq!(accepted, 108);
    let told: Vec<_> = report.outcomes().map(|(image, _, _)| image).collect();
    let each: HashSet<_> = told.iter().copied().collect();
    assert_eq!(told.len(), each.len(), "the job tells of each once");
    for (number, image) in images.iter().enumerate().filter(|(number, _)| number % 10 > 0) {
        assert!(each.contains(image), "the job does not tell of image {number}, which it has answered");
    }
}

#[tokio::test]
async fn a_job_that_was_left_lying_is_found_and_ends() {
    let world = start(Limits::default());
    let images = waiting(&world, 60).await;
    let an_hour_ago = Timestamp::now().minus(Duration::from_hours(1));
    let task = Task::RespondToAll { status: Status::Rejected, vault: None, expected: 60 };
    let job = job_at(Stamp::first_of(an_hour_ago), "a", task, Vec::new(), vec![tenant("a")]);
    world.queue(&job).await;
    let soon = Timestamp::now().plus(Duration::from_mins(1));
    assert_eq!(sweep(&world.service, soon).await.unwrap().carried_out, 1);
    let report = world.report(job.id).await;
    assert_eq!((report.status(), report.outcomes().count()), (JobStatus::Success, 0), "all was shared later");
    assert_eq!(status(&world, &images[0], "a").await, Some(Status::Pending));
}

#[tokio::test]
async fn what_cannot_be_carried_out_is_given_up_with_a_job_that_says_so() {
    let world = start(Limits::default());
    let images = waiting(&world, 3).await;
    let job = respond_to_all(&world, "a", Status::Accepted, None).await;
    let key = world.open_pieces().await[0];
    usecases::abandon(&world.service, key).await.unwrap();
    let report = world.report(job).await;
    let outcomes: Vec<_> = report.outcomes().map(|(_, _, outcome)| outcome).collect();
    assert_eq!((report.status(), outcomes), (JobStatus::Fail, vec![Outcome::GaveUp; 3]));
    assert_eq!(status(&world, &images[0], "a").await, Some(Status::Pending));
}

#[tokio::test]
async fn an_item_that_cannot_be_read_keeps_no_job_from_ending() {
    let world = start(Limits::default());
    let images = waiting(&world, 2).await;
    let job = respond_to_all(&world, "a", Status::Accepted, None).await;
    let key = world.open_pieces().await[0];
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let membership =
        [("pk".to_owned(), text(&format!("I#{}", images[0]))), ("sk".to_owned(), text("M#a"))].into();
    let spoil = Write::update(membership, "SET membership = :bad").value(":bad", text("?"));
    world.table.write_item(&spoil).await.unwrap();
    assert!(carry_out(&world.service, key).await.is_err());
    usecases::abandon(&world.service, key).await.unwrap();
    let report = world.report(job).await;
    assert_eq!((report.status(), report.failures().count()), (JobStatus::Fail, 2));
}

#[tokio::test]
async fn only_who_acts_for_a_project_answers_for_it() {
    let world = start(Limits::default());
    let said = (Status::Accepted, None);
    let stranger = caller("stranger");
    let refused = usecases::respond_to_all(&world.service, &stranger, tenant("a"), said, None).await;
    let named = tenant("a");
    assert_eq!(refused, Err(Refusal::OtherProject { acting: stranger.tenant, named }));
    assert!(world.open_pieces().await.is_empty());
}
