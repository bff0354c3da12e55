//! Changes of one membership at the same time as others: where Glance errs, this service does not.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use imageshare::domain::{ImageId, Limits, Role, Stamp, Status, Task, Timestamp};
use imageshare::usecases::{self, carry_out};
use imageshare_tests::api::Ask;
use imageshare_tests::service::{LocalService, caller, job_at, tenant};
use serde_json::json;

use super::World;

fn counted(statuses: impl IntoIterator<Item = u16>) -> BTreeMap<u16, usize> {
    statuses.into_iter().fold(BTreeMap::new(), |mut counts, status| {
        *counts.entry(status).or_default() += 1;
        counts
    })
}

#[tokio::test]
async fn twelve_simultaneous_adds_of_one_member_leave_one_membership() {
    let world = World::start(&[]).await;
    for round in 0..5 {
        let image = world.image("own1", &json!({})).await;
        let answers = join_all((0..12).map(|_| world.add("own1", &image, "mem1"))).await;
        assert_eq!(
            counted(answers.iter().map(|answer| answer.status)),
            [(200, 1), (409, 11)].into(),
            "{round}"
        );
        assert_eq!(world.members("own1", &image).await, "mem1:pending");
        assert_eq!(world.remove("own1", &image, "mem1").await.status, 204);
        assert_eq!(world.members("own1", &image).await, "");
        assert_eq!(world.ask("mem1", "GET", &format!("/v2/images/{image}")).await.status, 404);
    }
}

#[tokio::test]
async fn the_limit_holds_whoever_adds_at_the_same_time() {
    let world = World::start(&["members-per-image=5"]).await;
    let image = world.image("own1", &json!({})).await;
    let members: Vec<_> = (0..16).map(|number| format!("m{number}")).collect();
    let token = world.api.token("own1", Role::Member);
    let batch = Ask::new("POST", "/v1/cloudimages/members").token(&token);
    let batch = batch.json(&json!({"images": [image], "projects": ["b0", "b1", "b2"]}));
    let (accepted, answers) = tokio::join!(
        world.api.send(&batch),
        join_all(members.iter().map(|member| world.add("own1", &image, member)))
    );
    let job = world.api.job(&token, "own1", &accepted).await;
    let results = job["entities"]["results"].as_array().unwrap();
    let shared = results.iter().filter(|result| result["status"] == "success").count();
    let counts = counted(answers.iter().map(|answer| answer.status));
    let added = counts.get(&200).copied().unwrap_or_default();
    assert_eq!((added + shared, counts.get(&413).copied()), (5, Some(16 - added)), "{counts:?} {job}");
    assert_eq!(world.members("own1", &image).await.split(' ').count(), 5);
}

#[tokio::test]
async fn adds_and_removes_at_the_same_time_leave_what_the_last_of_them_said() {
    let world = World::start(&[]).await;
    let image = world.image("own1", &json!({})).await;
    let answers = join_all((0..24).map(async |number| {
        if number % 2 == 0 {
            world.add("own1", &image, "mem1").await
        } else {
            world.remove("own1", &image, "mem1").await
        }
    }))
    .await;
    let counts = counted(answers.iter().map(|answer| answer.status));
    assert!(counts.keys().all(|status| [200, 204, 404, 409].contains(status)), "{counts:?}");
    let count = |status: u16| counts.get(&status).copied().unwrap_or_default();
    let stands = usize::from(!world.members("own1", &image).await.is_empty());
    assert_eq!(count(200) - count(204), stands, "{counts:?}");
    let left = world.remove("own1", &image, "mem1").await;
    assert_eq!(left.status, if stands == 1 { 204 } else { 404 });
    assert_eq!(world.members("own1", &image).await, "");
}

/// An image, and a job that has been accepted for one member of it but is not carried out yet.
struct Underway {
    world: LocalService,
    image: ImageId,
}

impl Underway {
    async fn start() -> Self {
        let world = LocalService::start(Limits::default());
        let image = world.image("own1").await;
        Self { world, image }
    }

    async fn accept_share(&self) {
        let images = vec![self.image.clone()];
        let owner = caller("own1");
        usecases::share(&self.world.service, &owner, images, vec![tenant("mem1")], None).await.unwrap();
    }

    async fn accept_unshare(&self) {
        let images = vec![self.image.clone()];
        let owner = caller("own1");
        usecases::unshare(&self.world.service, &owner, images, vec![tenant("mem1")], None).await.unwrap();
    }

    async fn accept_answer(&self, status: Status) {
        let images = vec![self.image.clone()];
        let (member, id) = (caller("mem1"), tenant("mem1"));
        usecases::respond(&self.world.service, &member, id, images, (status, None), None).await.unwrap();
    }

    async fn add(&self) -> bool {
        let (owner, id) = (caller("own1"), tenant("mem1"));
        usecases::add_member(&self.world.service, &owner, &self.image, &id).await.is_ok()
    }

    async fn remove(&self) -> bool {
        let (owner, id) = (caller("own1"), tenant("mem1"));
        usecases::remove_member(&self.world.service, &owner, &self.image, &id).await.is_ok()
    }

    async fn answer(&self, status: Status) -> bool {
        let (member, id) = (caller("mem1"), tenant("mem1"));
        let answer = (Ok(status), None);
        usecases::answer_as_member(&self.world.service, &member, &self.image, &id, answer).await.is_ok()
    }

    /// The status of the membership once all jobs are carried out, and whether the image's count agrees.
    async fn end(&self) -> Option<Status> {
        self.world.work().await;
        let (image, member) =
            self.world.service.store.head_and_member(&self.image, &tenant("mem1")).await.unwrap();
        assert_eq!(image.unwrap().members, u32::from(member.is_some()));
        member.map(|member| member.status)
    }
}

#[tokio::test]
async fn a_revoke_revokes_what_an_earlier_request_shares_later() {
    let world = Underway::start().await;
    assert!(world.add().await);
    world.accept_share().await;
    assert!(world.remove().await);
    assert_eq!(world.end().await, None);
    world.accept_share().await;
    assert_eq!(world.end().await, Some(Status::Pending), "a later request shares again");
}

#[tokio::test]
async fn a_revoke_revokes_what_a_machine_with_a_fast_clock_has_shared() {
    let world = Underway::start().await;
    let ahead = Timestamp::now().plus(Duration::from_hours(1));
    let (images, tenants) = (vec![world.image.clone()], vec![tenant("mem1")]);
    let job = job_at(Stamp::first_of(ahead), "own1", Task::Share, images, tenants);
    world.world.queue(&job).await;
    assert_eq!(world.end().await, Some(Status::Pending));
    assert!(world.answer(Status::Accepted).await);
    assert_eq!(world.end().await, Some(Status::Accepted));
    assert!(world.remove().await);
    assert_eq!(world.end().await, None);
    assert!(world.add().await);
    assert_eq!(world.end().await, Some(Status::Pending));
}

#[tokio::test]
async fn an_earlier_revoke_that_is_carried_out_later_leaves_a_later_sharing_alone() {
    let world = Underway::start().await;
    world.accept_unshare().await;
    assert!(world.add().await && world.answer(Status::Accepted).await);
    assert_eq!(world.end().await, Some(Status::Accepted));
    world.accept_unshare().await;
    assert_eq!(world.end().await, None, "a later request revokes");
}

#[tokio::test]
async fn an_earlier_answer_that_is_carried_out_later_does_not_count() {
    let world = Underway::start().await;
    assert!(world.add().await);
    world.accept_answer(Status::Rejected).await;
    assert!(world.answer(Status::Accepted).await);
    assert_eq!(world.end().await, Some(Status::Accepted));
    world.accept_answer(Status::Rejected).await;
    assert!(world.remove().await && world.add().await);
    assert_eq!(world.end().await, Some(Status::Pending), "nobody answers for what it has not seen");
}

#[tokio::test]
async fn changes_at_once_and_a_running_job_do_not_tear_the_count() {
    for _ in 0..10 {
        let world = Underway::start().await;
        let others = (0..120).map(|number| tenant(&format!("t{number}")));
        let tenants: Vec<_> = others.chain([tenant("mem1")]).collect();
        let images = vec![world.image.clone()];
        usecases::share(&world.world.service, &caller("own1"), images, tenants, None).await.unwrap();
        let piece = world.world.open_pieces().await[0];
        let service = world.world.service.clone();
        let worker = tokio::spawn(async move { carry_out(&service, piece).await });
        for _ in 0..5 {
            world.add().await;
            world.answer(Status::Accepted).await;
            world.remove().await;
        }
        worker.await.unwrap().unwrap();
        let (members, _) = world.world.service.store.members(&world.image, None, 1000).await.unwrap();
        assert_eq!(world.world.member_count(&world.image).await as usize, members.len());
        assert!(members.len() >= 120);
        world.remove().await;
        assert!(!world.remove().await, "one removal is enough");
    }
}
