//! Decisions on everything that some owners have shared (`contract/decisions.md` 31).

use std::collections::BTreeSet;

use imageshare::domain::{
    Denied, ImageId, JobId, JobStatus, Limits, Protection, Status, Task, TenantId, VaultDetails, VaultStatus,
    Visibility,
};
use imageshare::usecases::{self, UseCaseError};
use imageshare_tests::local_service::{LocalService, caller, tenant};
use imageshare_tests::totals;

use super::{FULL_ECS, member_status, respond_and_execute, share_and_execute, start_service};

/// Images of an owner, shared with `a` and `b`.
async fn share_images(world: &LocalService, owner: &str, how_many: usize) -> Vec<ImageId> {
    let mut images = Vec::new();
    for _ in 0..how_many {
        images.push(world.create_image(owner).await);
    }
    let tenants = vec![tenant("a"), tenant("b")];
    usecases::share(&world.service, &caller(owner), images.clone(), tenants, None).await.unwrap();
    world.run_open_work().await;
    images
}

fn owners(names: &[&str]) -> BTreeSet<TenantId> {
    names.iter().map(|name| tenant(name)).collect()
}

async fn respond_to_owners(
    world: &LocalService,
    names: &[&str],
    status: Status,
    vault: Option<&str>,
) -> JobId {
    let decision = (status, vault.map(|id| id.parse().unwrap()));
    usecases::respond_to_owners(&world.service, &caller("a"), tenant("a"), owners(names), decision, None)
        .await
        .unwrap()
}

/// The statuses of some images for a tenant, without repetition.
async fn statuses(world: &LocalService, images: &[ImageId], tenant_id: &str) -> BTreeSet<Option<Status>> {
    let mut statuses = BTreeSet::new();
    for image in images {
        statuses.insert(member_status(world, image, tenant_id).await);
    }
    statuses
}

#[tokio::test]
async fn only_pending_images_of_the_owner_are_decided_on() {
    let world = start_service(Limits::default());
    let mut images = Vec::new();
    // Between each other, and more than a step takes.
    for _ in 0..3 {
        for owner in ["own1", "own2", "own3"] {
            images.push((owner, share_images(&world, owner, 20).await));
        }
    }
    respond_and_execute(&world, &images[0].1[..1], "a", (Status::Rejected, None)).await;
    let rejected = images[0].1.remove(0);
    let job = respond_to_owners(&world, &["own1", "own3", "nobody"], Status::Accepted, None).await;
    assert_eq!(world.job_report(job).await.job.pair_count(), 119);
    world.run_open_work().await;
    totals::assert_consistent(&world.embedded);
    let report = world.job_report(job).await;
    assert_eq!(
        (report.status(), report.percent(), report.outcomes().count()),
        (JobStatus::Success, 100, 119)
    );
    for (owner, images) in &images {
        let expected = if *owner == "own2" { Status::Pending } else { Status::Accepted };
        assert_eq!(statuses(&world, images, "a").await, [Some(expected)].into(), "{owner}");
        assert_eq!(statuses(&world, images, "b").await, [Some(Status::Pending)].into(), "{owner}");
    }
    assert_eq!(member_status(&world, &rejected, "a").await, Some(Status::Rejected));
    let nothing = respond_to_owners(&world, &["nobody"], Status::Rejected, None).await;
    world.run_open_work().await;
    let report = world.job_report(nothing).await;
    assert_eq!((report.status(), report.outcomes().count()), (JobStatus::Success, 0));
}

#[tokio::test]
async fn later_share_of_the_owner_stays_pending() {
    let world = start_service(Limits::default());
    let images = share_images(&world, "own1", 2).await;
    let hide = |image: &mut imageshare::domain::Image| {
        image.visibility = Visibility::Private;
        Ok::<_, UseCaseError>(())
    };
    usecases::update_image(&world.service, &caller("own1"), &images[1], hide).await.unwrap();
    let job = respond_to_owners(&world, &["own1"], Status::Accepted, None).await;
    let later = world.create_image("own1").await;
    usecases::add_member(&world.service, &caller("own1"), &later, &tenant("a"), None).await.unwrap();
    world.run_open_work().await;
    assert_eq!(world.job_report(job).await.outcomes().count(), 1, "neither the hidden one nor the later one");
    assert_eq!(member_status(&world, &images[0], "a").await, Some(Status::Accepted));
    assert_eq!(statuses(&world, &[images[1].clone(), later], "a").await, [Some(Status::Pending)].into());
}

#[tokio::test]
async fn images_of_the_owner_are_accepted_into_the_vault() {
    let world = start_service(Limits::default());
    let image = world.create_image_with("owner", &FULL_ECS).await;
    share_and_execute(&world, std::slice::from_ref(&image), &["a"]).await;
    let details =
        VaultDetails { protection: Protection::Backup, status: VaultStatus::Available, capacity_gib: 60 };
    usecases::put_vault(&world.service, &caller("a"), "v".parse().unwrap(), &details).await.unwrap();
    for (vault, expected) in [(None, Status::Pending), (Some("v"), Status::Accepted)] {
        respond_to_owners(&world, &["owner"], Status::Accepted, vault).await;
        world.run_open_work().await;
        totals::assert_consistent(&world.embedded);
        assert_eq!(member_status(&world, &image, "a").await, Some(expected));
    }
}

#[tokio::test]
async fn stranger_cannot_respond_to_owners_for_a_project() {
    let world = start_service(Limits::default());
    let (stranger, named, decision) = (caller("stranger"), tenant("a"), (Status::Accepted, None));
    let refused = usecases::respond_to_owners(
        &world.service,
        &stranger,
        named.clone(),
        owners(&["own1"]),
        decision,
        None,
    );
    let denied = Denied::ProjectMismatch { acting: stranger.tenant.clone(), named };
    assert_eq!(refused.await, Err(denied.into()));
    assert!(world.open_work_items().await.is_empty());
}

/// An older worker ignores a member that it does not know, and would decide on the images of every owner.
#[test]
fn older_worker_cannot_read_a_task_limited_to_owners() {
    let (owners, status) = (owners(&["own1"]), Status::Accepted);
    let task = Task::RespondToOwners { owners, status, vault: None, expected: 1 };
    let stored = serde_json::to_value(&task).unwrap();
    assert_eq!(stored["respond_to_owners"]["owners"], serde_json::json!(["own1"]), "{stored}");
    let older = ["share", "unshare", "refresh", "respond", "respond_to_all"];
    assert!(older.iter().all(|task| stored.get(task).is_none()), "{stored}");
}
