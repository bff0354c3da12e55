//! Share, answer, unshare and delete over the embedded table: what the table says in the end, whatever happened on the
//! way.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::{HashMap, HashSet};

use imageshare::domain::{
    Details, ImageId, Job, JobId, JobStatus, Limits, Outcome, Stamp, Status, Task, Tenant, Timestamp,
    Visibility,
};
use imageshare::store::{MembersThen, Queued, Remembered, Submitted, UpdatedImage, Written};
use imageshare::table::{AttributeValue, Table, Write};
use imageshare::usecases::{self, NewImage, Refusal, carry_out, sweep};
use imageshare_tests::service::{LocalService, caller, job_at, tenant};

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
async fn an_image_is_shared_accepted_rejected_and_unshared() {
    let world = LocalService::start(Limits::default());
    let image = world.image("owner").await;
    let job = share(&world, std::slice::from_ref(&image), &["a", "b"]).await;
    assert_eq!(world.report(job).await.status(), JobStatus::Success, "it is done when it is answered");
    let pending = HashMap::from([("a".to_owned(), Status::Pending), ("b".to_owned(), Status::Pending)]);
    assert_eq!(members(&world, &image).await, pending);

    respond(&world, &image, "a", Status::Accepted).await;
    respond(&world, &image, "b", Status::Rejected).await;
    let stranger = respond(&world, &image, "c", Status::Accepted).await;
    world.work().await;
    assert_eq!(members(&world, &image).await["a"], Status::Accepted);
    assert_eq!(members(&world, &image).await["b"], Status::Rejected);
    let report = world.report(stranger).await;
    assert_eq!(report.failures().map(|(_, _, outcome)| outcome).collect::<Vec<_>>(), [Outcome::NotAMember]);

    unshare(&world, std::slice::from_ref(&image), &["a", "nobody"]).await;
    world.work().await;
    assert_eq!(members(&world, &image).await.keys().collect::<Vec<_>>(), ["b"]);
    assert_eq!(world.member_count(&image).await, 1);
}

#[tokio::test]
async fn an_answer_tells_nothing_of_images_that_are_not_shared() {
    let world = LocalService::start(Limits::default());
    let image = world.image("owner").await;
    let existing = respond(&world, &image, "stranger", Status::Accepted).await;
    let unknown = respond(&world, &ImageId::random(), "stranger", Status::Accepted).await;
    world.work().await;
    let outcome =
        async |job| world.report(job).await.outcomes().map(|(_, _, outcome)| outcome).collect::<Vec<_>>();
    assert_eq!(outcome(existing).await, outcome(unknown).await);
}

#[tokio::test]
async fn the_limit_of_recipients_is_exact_under_concurrency() {
    let world = LocalService::start(Limits { members_per_image: 20, ..Limits::default() });
    let image = world.image("owner").await;
    let mut jobs = Vec::new();
    for number in 0..25 {
        let tenants = [format!("t{}", 2 * number), format!("t{}", 2 * number + 1)];
        jobs.push(share(&world, std::slice::from_ref(&image), &[&tenants[0], &tenants[1]]).await);
    }
    let workers = world.open_pieces().await.into_iter().map(|key| {
        let service = world.service.clone();
        tokio::spawn(async move { carry_out(&service, key).await })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap().unwrap();
    }
    assert_eq!(members(&world, &image).await.len(), 20);
    assert_eq!(world.member_count(&image).await, 20);
    let mut failed = 0;
    for job in jobs {
        failed += world.report(job).await.failures().filter(|(_, _, o)| *o == Outcome::MemberLimit).count();
    }
    assert_eq!(failed, 30);
}

#[tokio::test]
async fn many_workers_on_one_piece_carry_it_out_once() {
    let world = LocalService::start(Limits::default());
    let image = world.image("owner").await;
    let tenants: Vec<String> = (0..100).map(|n| format!("t{n}")).collect();
    let job =
        share(&world, std::slice::from_ref(&image), &tenants.iter().map(String::as_str).collect::<Vec<_>>())
            .await;
    let key = world.open_pieces().await[0];
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let service = world.service.clone();
            tokio::spawn(async move { carry_out(&service, key).await })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap().unwrap();
    }
    let report = world.report(job).await;
    assert_eq!((report.status(), report.done()), (JobStatus::Success, 100));
    assert_eq!(world.member_count(&image).await, 100);
}

#[tokio::test]
async fn a_batch_of_ten_thousand_pairs_is_carried_out_pair_by_pair() {
    let world = LocalService::start(Limits { images_per_tenant: 200, ..Limits::default() });
    let mut images = Vec::new();
    for _ in 0..100 {
        images.push(world.image("owner").await);
    }
    let tenants: Vec<String> = (0..100).map(|n| format!("t{n}")).collect();
    let job = share(&world, &images, &tenants.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(world.report(job).await.status(), JobStatus::Init);
    for done in 0..50 {
        let pieces = world.open_pieces().await;
        assert_eq!(pieces.len(), 8.min(50 - done), "a large job hands out a few pieces at a time");
        assert_eq!(world.report(job).await.percent(), done * 2);
        carry_out(&world.service, pieces[0]).await.unwrap();
    }
    let report = world.report(job).await;
    assert_eq!((report.status(), report.percent()), (JobStatus::Success, 100));
    let pairs: HashSet<_> =
        report.outcomes().map(|(image, tenant, _)| (image.clone(), tenant.clone())).collect();
    assert_eq!(pairs.len(), 10_000);
    assert_eq!(world.member_count(&images[99]).await, 100);
}

#[tokio::test]
async fn a_deleted_image_takes_its_memberships_along_and_never_comes_back() {
    let world = LocalService::start(Limits::default());
    let image = world.image("owner").await;
    share(&world, std::slice::from_ref(&image), &["a", "b"]).await;
    world.work().await;
    let at = world.service.clock().stamp();
    let late = job_at(at, "owner", Task::Share, vec![image.clone()], vec![tenant("c")]);
    world.queue(&late).await;
    usecases::delete_image(&world.service, &caller("owner"), &image).await.unwrap();
    world.work().await;
    assert_eq!(members(&world, &image).await, HashMap::new());
    let outcomes: Vec<_> = world.report(late.id).await.outcomes().map(|(_, _, outcome)| outcome).collect();
    assert_eq!(outcomes, [Outcome::ImageGone]);
    let again = usecases::NewImage {
        id: Some(image.clone()),
        owner: None,
        visibility: imageshare::domain::Visibility::Shared,
        details: imageshare::domain::Details::default(),
    };
    let refused = usecases::register_image(&world.service, &caller("somebody"), again).await;
    assert_eq!(refused.unwrap_err(), Refusal::IdTaken(image));
}

#[tokio::test]
async fn a_deletion_is_not_written_where_other_members_came_in_between() {
    let world = LocalService::start(Limits::default());
    let id = world.image("owner").await;
    share(&world, std::slice::from_ref(&id), &["a"]).await;
    world.work().await;
    let (image, recipients) =
        (world.read_image(&id).await, world.service.store.recipients(&id).await.unwrap());
    assert_eq!(recipients.tenants, [tenant("a")]);
    unshare(&world, std::slice::from_ref(&id), &["a"]).await;
    share(&world, std::slice::from_ref(&id), &["b"]).await;
    world.work().await;
    let unshare = Job { task: Task::Unshare, ..overdue(&id, "a") };
    let deleted = world.service.store.delete_image(&image, &recipients, Some(&unshare)).await;
    assert_eq!(deleted, Ok(Written::Stale), "it has as many members as before, but others");
    assert_eq!(members(&world, &id).await, HashMap::from([("b".to_owned(), Status::Pending)]));
}

#[tokio::test]
async fn the_limit_of_images_is_exact_and_a_deletion_makes_room() {
    let world = LocalService::start(Limits { images_per_tenant: 2, ..Limits::default() });
    let first = world.image("owner").await;
    world.image("owner").await;
    let new = || usecases::NewImage {
        id: None,
        owner: None,
        visibility: imageshare::domain::Visibility::Shared,
        details: imageshare::domain::Details::default(),
    };
    let refused = usecases::register_image(&world.service, &caller("owner"), new()).await;
    assert_eq!(refused.unwrap_err(), Refusal::TooManyImages(2));
    usecases::delete_image(&world.service, &caller("owner"), &first).await.unwrap();
    usecases::register_image(&world.service, &caller("owner"), new()).await.unwrap();
}

#[tokio::test]
async fn a_retry_gets_its_job_even_where_the_image_is_gone_by_then() {
    let world = LocalService::start(Limits::default());
    let image = world.image("owner").await;
    let request = |key: &str, request: &str| {
        let digests = (key.repeat(64), request.repeat(64));
        Some(Remembered { tenant: tenant("owner"), key_digest: digests.0, request_digest: digests.1 })
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
    assert_eq!(share(request("1", "x")).await, Err(Refusal::KeyUsed));
    assert_eq!(share(request("3", "s")).await, Err(Refusal::ImageNotFound(image.clone())));
    assert_eq!(share(None).await, Err(Refusal::ImageNotFound(image.clone())));
}

fn overdue(image: &ImageId, recipient: &str) -> Job {
    let long_ago = Timestamp::now().minus(std::time::Duration::from_mins(2));
    job_at(Stamp::first_of(long_ago), "owner", Task::Share, vec![image.clone()], vec![tenant(recipient)])
}

fn soon() -> Timestamp {
    Timestamp::now().plus(std::time::Duration::from_mins(1))
}

#[tokio::test]
async fn a_job_that_is_written_again_since_its_answer_was_lost_is_one_job_and_begins_once() {
    let world = LocalService::start(Limits::default());
    let image = world.image("owner").await;
    let job = overdue(&image, "a");
    let queues = [(tenant("owner"), Tenant::default())];
    let submit = |job| world.service.store.queue(job, &queues, u32::MAX, None);
    let accepted = Queued::Submitted(Submitted::Yes);
    assert_eq!(submit(&job).await.unwrap(), accepted);
    assert_eq!(submit(&job).await.unwrap(), accepted);
    world.work().await;
    assert_eq!(submit(&job).await.unwrap(), accepted);
    assert_eq!(world.report(job.id).await.status(), JobStatus::Success);
    assert!(world.open_pieces().await.is_empty());
    let other = Job { images: vec![world.image("owner").await], ..job.clone() };
    assert_eq!(submit(&other).await.unwrap(), Queued::Stale);
}

#[tokio::test]
async fn a_sweep_carries_out_what_was_left_lying() {
    let world = LocalService::start(Limits::default());
    let image = world.image("owner").await;
    let job = overdue(&image, "a");
    world.queue(&job).await;
    let images = vec![image.clone()];
    let fresh =
        job_at(world.service.clock().stamp_ahead([]), "owner", Task::Share, images, vec![tenant("b")]);
    world.queue(&fresh).await;
    let swept = sweep(&world.service, soon()).await.unwrap();
    assert_eq!((swept.carried_out, swept.given_up, swept.left), (1, 0, 0));
    assert_eq!(world.report(job.id).await.status(), JobStatus::Success);
    assert_eq!(world.report(fresh.id).await.status(), JobStatus::Init);
}

#[tokio::test]
async fn a_job_that_cannot_be_carried_out_is_given_up_and_says_so() {
    let world = LocalService::start(Limits::default());
    let image = world.image("owner").await;
    let job = overdue(&image, "a");
    world.queue(&job).await;
    let item =
        [("pk", format!("I#{image}")), ("sk", "M#a".into()), ("membership", "not a membership".into())];
    let item = item.map(|(name, text)| (name.to_owned(), AttributeValue::S(text)));
    world.table.write_item(&Write::put(item.into())).await.unwrap();
    for _ in 0..10 {
        assert_eq!(sweep(&world.service, soon()).await.unwrap().left, 1);
        assert_eq!(world.report(job.id).await.ended(), None);
    }
    assert_eq!(sweep(&world.service, soon()).await.unwrap().given_up, 1);
    let report = world.report(job.id).await;
    assert_eq!(report.status(), JobStatus::Fail);
    assert_eq!(report.outcomes().map(|(_, _, outcome)| outcome).collect::<Vec<_>>(), [Outcome::GaveUp]);
}

#[tokio::test]
async fn deleted_image_leaves_no_more_than_its_key() {
    let world = LocalService::start(Limits::default());
    let (alone, shared) = (world.image("owner").await, world.image("owner").await);
    share(&world, std::slice::from_ref(&shared), &["a"]).await;
    world.work().await;
    for image in [alone, shared] {
        usecases::delete_image(&world.service, &caller("owner"), &image).await.unwrap();
        world.work().await;
        let key = [("pk", format!("I#{image}")), ("sk", "H".to_owned())];
        let key = key.map(|(name, text)| (name.to_owned(), AttributeValue::S(text))).into();
        let tombstone = world.table.get_item(&key).await.unwrap().items.remove(0);
        let mut left: Vec<_> = tombstone.keys().map(String::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["pk", "sk"]);
        let again = Details::default();
        let again = NewImage { id: Some(image), owner: None, visibility: Visibility::Shared, details: again };
        let refused = usecases::register_image(&world.service, &caller("owner"), again).await;
        assert!(matches!(refused, Err(Refusal::IdTaken(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn a_change_onto_an_old_revision_is_not_written() {
    let world = LocalService::start(Limits::default());
    let id = world.image("owner").await;
    let read = world.read_image(&id).await;
    let mut image = read.clone();
    image.details.name = Some("new".to_owned());
    image.revision += 1;
    let update = async || world.service.store.update_image(&read, &image, MembersThen::None).await.unwrap();
    assert_eq!(update().await, UpdatedImage::Yes);
    assert_eq!(update().await, UpdatedImage::Stale);
}
