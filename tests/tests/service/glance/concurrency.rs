//! Concurrent changes of one membership: correct even where Glance errs.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use imageshare::domain::{Bypass, ImageId, Limits, Role, Stamp, Status, Task, Timestamp};
use imageshare::usecases::{self, execute};
use imageshare_tests::api::ApiRequest;
use imageshare_tests::local_service::{LocalService, caller, job_at, tenant};
use serde_json::json;

use super::World;

fn count_statuses(statuses: impl IntoIterator<Item = u16>) -> BTreeMap<u16, usize> {
    statuses.into_iter().fold(BTreeMap::new(), |mut counts, status| {
        *counts.entry(status).or_default() += 1;
        counts
    })
}

#[tokio::test]
async fn concurrent_adds_of_one_member_create_one_membership() {
    let world = World::start(&[]).await;
    for round in 0..5 {
        let image = world.create_image("own1", &json!({})).await;
        let responses = join_all((0..12).map(|_| world.add("own1", &image, "mem1"))).await;
        assert_eq!(
            count_statuses(responses.iter().map(|response| response.status)),
            [(200, 1), (409, 11)].into(),
            "{round}"
        );
        assert_eq!(world.members("own1", &image).await, "mem1:pending");
        world.remove("own1", &image, "mem1").await.expect_status(204);
        assert_eq!(world.members("own1", &image).await, "");
        world.request("mem1", "GET", &format!("/v2/images/{image}")).await.expect_status(404);
    }
}

#[tokio::test]
async fn member_limit_holds_under_concurrent_adds() {
    let world = World::start(&["members-per-image=5"]).await;
    let image = world.create_image("own1", &json!({})).await;
    let members: Vec<_> = (0..16).map(|number| format!("m{number}")).collect();
    let token = world.api.token("own1", Role::Member);
    let batch = ApiRequest::new("POST", "/v1/cloudimages/members").token(&token);
    let batch = batch.json(&json!({"images": [image], "projects": ["b0", "b1", "b2"]}));
    let (accepted, responses) = tokio::join!(
        world.api.send(&batch),
        join_all(members.iter().map(|member| world.add("own1", &image, member)))
    );
    let job = world.api.wait_for_job(&token, "own1", &accepted).await;
    let results = job["entities"]["results"].as_array().unwrap();
    let shared = results.iter().filter(|result| result["status"] == "success").count();
    let counts = count_statuses(responses.iter().map(|response| response.status));
    let added = counts.get(&200).copied().unwrap_or_default();
    assert_eq!((added + shared, counts.get(&413).copied()), (5, Some(16 - added)), "{counts:?} {job}");
    assert_eq!(world.members("own1", &image).await.split(' ').count(), 5);
}

#[tokio::test]
async fn concurrent_adds_and_removes_leave_a_consistent_state() {
    let world = World::start(&[]).await;
    let image = world.create_image("own1", &json!({})).await;
    let responses = join_all((0..24).map(async |number| {
        if number % 2 == 0 {
            world.add("own1", &image, "mem1").await
        } else {
            world.remove("own1", &image, "mem1").await
        }
    }))
    .await;
    let counts = count_statuses(responses.iter().map(|response| response.status));
    assert!(counts.keys().all(|status| [200, 204, 404, 409].contains(status)), "{counts:?}");
    let count = |status: u16| counts.get(&status).copied().unwrap_or_default();
    let stands = usize::from(!world.members("own1", &image).await.is_empty());
    assert_eq!(count(200) - count(204), stands, "{counts:?}");
    world.remove("own1", &image, "mem1").await.expect_status(if stands == 1 { 204 } else { 404 });
    assert_eq!(world.members("own1", &image).await, "");
}

/// An image, and an accepted job for one member of it that is not executed yet.
struct PendingJobFixture {
    local: LocalService,
    image: ImageId,
}

impl PendingJobFixture {
    async fn start() -> Self {
        let world = LocalService::start(Limits::default());
        let image = world.create_image("own1").await;
        Self { local: world, image }
    }

    async fn submit_share(&self) {
        let images = vec![self.image.clone()];
        let owner = caller("own1");
        usecases::share(&self.local.service, &owner, images, vec![tenant("mem1")], None).await.unwrap();
    }

    async fn submit_unshare(&self) {
        let images = vec![self.image.clone()];
        let owner = caller("own1");
        usecases::unshare(&self.local.service, &owner, images, vec![tenant("mem1")], None).await.unwrap();
    }

    async fn submit_decision(&self, status: Status) {
        let images = vec![self.image.clone()];
        let (member, id) = (caller("mem1"), tenant("mem1"));
        usecases::respond(&self.local.service, &member, id, images, (status, None), None).await.unwrap();
    }

    async fn add(&self) -> bool {
        let (owner, id) = (caller("own1"), tenant("mem1"));
        usecases::add_member(&self.local.service, &owner, &self.image, &id, None).await.is_ok()
    }

    async fn remove(&self) -> bool {
        let (owner, id) = (caller("own1"), tenant("mem1"));
        usecases::remove_member(&self.local.service, &owner, &self.image, &id).await.is_ok()
    }

    async fn decide(&self, status: Status) -> bool {
        let (member, id) = (caller("mem1"), tenant("mem1"));
        let response = (Ok(status), None);
        usecases::decide_as_member(&self.local.service, &member, &self.image, &id, response).await.is_ok()
    }

    /// The membership's status after all jobs, and whether the member count is right.
    async fn finish(&self) -> Option<Status> {
        self.local.run_open_work().await;
        let (image, member) =
            self.local.service.store.head_and_member(&self.image, &tenant("mem1")).await.unwrap();
        assert_eq!(image.unwrap().bypass(Bypass::Test).member_count, u32::from(member.is_some()));
        member.map(|member| member.status)
    }
}

#[tokio::test]
async fn revoke_overrides_an_earlier_share_executed_later() {
    let world = PendingJobFixture::start().await;
    assert!(world.add().await);
    world.submit_share().await;
    assert!(world.remove().await);
    assert_eq!(world.finish().await, None);
    world.submit_share().await;
    assert_eq!(world.finish().await, Some(Status::Pending), "a later request shares again");
}

#[tokio::test]
async fn revoke_overrides_a_share_from_a_fast_clock() {
    let world = PendingJobFixture::start().await;
    let ahead = Timestamp::now().plus(Duration::from_hours(1));
    let (images, tenants) = (vec![world.image.clone()], vec![tenant("mem1")]);
    let job = job_at(Stamp::first_of(ahead), "own1", Task::Share, images, tenants);
    world.local.queue_job(&job).await;
    assert_eq!(world.finish().await, Some(Status::Pending));
    assert!(world.decide(Status::Accepted).await);
    assert_eq!(world.finish().await, Some(Status::Accepted));
    assert!(world.remove().await);
    assert_eq!(world.finish().await, None);
    assert!(world.add().await);
    assert_eq!(world.finish().await, Some(Status::Pending));
}

#[tokio::test]
async fn late_revoke_does_not_undo_a_newer_share() {
    let world = PendingJobFixture::start().await;
    world.submit_unshare().await;
    assert!(world.add().await && world.decide(Status::Accepted).await);
    assert_eq!(world.finish().await, Some(Status::Accepted));
    world.submit_unshare().await;
    assert_eq!(world.finish().await, None, "a later request revokes");
}

#[tokio::test]
async fn late_decision_does_not_override_a_newer_one() {
    let world = PendingJobFixture::start().await;
    assert!(world.add().await);
    world.submit_decision(Status::Rejected).await;
    assert!(world.decide(Status::Accepted).await);
    assert_eq!(world.finish().await, Some(Status::Accepted));
    world.submit_decision(Status::Rejected).await;
    assert!(world.remove().await && world.add().await);
    assert_eq!(world.finish().await, Some(Status::Pending), "the decision does not apply to a later share");
}

#[tokio::test]
async fn concurrent_changes_and_a_job_keep_the_count_exact() {
    for _ in 0..10 {
        let world = PendingJobFixture::start().await;
        let others = (0..120).map(|number| tenant(&format!("t{number}")));
        let tenants: Vec<_> = others.chain([tenant("mem1")]).collect();
        let images = vec![world.image.clone()];
        usecases::share(&world.local.service, &caller("own1"), images, tenants, None).await.unwrap();
        let work_item = world.local.open_work_items().await[0];
        let service = world.local.service.clone();
        let worker = tokio::spawn(async move { execute(&service, work_item).await });
        for _ in 0..5 {
            world.add().await;
            world.decide(Status::Accepted).await;
            world.remove().await;
        }
        worker.await.unwrap().unwrap();
        let (members, _) = world.local.service.store.members(&world.image, None, 1000).await.unwrap();
        assert_eq!(world.local.member_count(&world.image).await as usize, members.len());
        assert!(members.len() >= 120);
        world.remove().await;
        assert!(!world.remove().await, "one removal is enough");
    }
}
