//! Many tenants at once on one image, and many owners at once on one tenant.

use std::time::Duration;

use futures_util::future::join_all;
use imageshare::domain::{ImageId, Limits, Status};
use imageshare_tests::service::tenant;
use tokio::time::sleep;

use crate::world::{Batch, World, tenants};

/// Recipients that answer at once.
const ANSWERS: usize = 200;

/// Owners that share at once.
const OWNERS: usize = 50;

/// Workers side by side.
const WORKERS: usize = 10;

#[tokio::test(start_paused = true)]
async fn two_hundred_members_answer_one_image_at_once() {
    let world = World::start(Limits::default());
    let (image, tenants) = (world.images("owner", 1).await.remove(0), tenants(ANSWERS));
    world.shared_before("owner", &image, &tenants).await;
    join_all(tenants.iter().map(|tenant| world.answer(&image, tenant, Status::Accepted))).await;
    world.tell(&"200 members of one image answer at once");
    for tenant in &tenants {
        world.expect_member(&image, tenant, Some(Status::Accepted)).await;
    }
    expect_end(&world, &[(image, ANSWERS)]).await;
}

#[tokio::test(start_paused = true)]
async fn two_hundred_tenants_respond_to_one_image_at_once() {
    let world = World::start(Limits::default());
    let (image, tenants) = (world.images("owner", 1).await.remove(0), tenants(ANSWERS));
    world.shared_before("owner", &image, &tenants).await;
    let images = [image.clone()];
    let respond = tenants.iter().map(|tenant| {
        let tenants = std::slice::from_ref(tenant);
        world.batch(tenant.as_str(), Batch::Respond(Status::Rejected), &images, tenants)
    });
    let jobs = world.work_beside(WORKERS, join_all(respond)).await;
    world.tell(&"200 tenants respond to one image in batch requests at once, 10 workers");
    for (tenant, job) in tenants.iter().zip(jobs) {
        world.expect_done(job, 1).await;
        world.expect_member(&image, tenant, Some(Status::Rejected)).await;
    }
    expect_end(&world, &[(image, ANSWERS)]).await;
}

#[tokio::test(start_paused = true)]
async fn answers_that_meet_a_job_on_their_memberships_are_all_given() {
    let world = World::start(Limits::default());
    let (images, tenants) = (world.images("owner", 1).await, tenants(100));
    world.shared_before("owner", &images[0], &tenants).await;
    for tenant in &tenants {
        world.answered_before(&images[0], tenant, Status::Rejected).await;
    }
    let job = world.batch("owner", Batch::Share, &images, &tenants).await;
    // One answer in each millisecond, while the job writes the same memberships.
    let answers = (0..).zip(&tenants).map(async |(number, tenant)| {
        sleep(Duration::from_millis(number)).await;
        world.answer(&images[0], tenant, Status::Accepted).await;
    });
    world.work_beside(WORKERS, join_all(answers)).await;
    world.tell(&"100 members change their answers while the owner shares with them again");
    assert!(world.stale() > 0, "nothing was met");
    world.expect_done(job, 100).await;
    for tenant in &tenants {
        world.expect_member(&images[0], tenant, Some(Status::Accepted)).await;
    }
    world.expect_members(&images[0], 100).await;
    world.expect_sums();
    world.expect_nothing_given_up();
}

#[tokio::test(start_paused = true)]
async fn fifty_owners_share_with_one_tenant_at_once() {
    let world = World::start(Limits::default());
    let (images, recipient) = (images_of_owners(&world).await, tenant("recipient"));
    let tenants = [recipient.clone()];
    let share = images
        .iter()
        .map(|(owner, image)| world.batch(owner, Batch::Share, std::slice::from_ref(image), &tenants));
    let jobs = world.work_beside(WORKERS, join_all(share)).await;
    world.tell(&"50 owners share with one tenant in batch requests at once, 10 workers");
    for ((_, image), job) in images.iter().zip(jobs) {
        world.expect_done(job, 1).await;
        world.expect_member(image, &recipient, Some(Status::Pending)).await;
    }
    expect_end(&world, &one_member_each(images)).await;
}

#[tokio::test(start_paused = true)]
async fn fifty_owners_add_one_member_at_once() {
    let world = World::start(Limits::default());
    let (images, recipient) = (images_of_owners(&world).await, tenant("recipient"));
    join_all(images.iter().map(|(owner, image)| world.add_member(owner, image, &recipient))).await;
    world.tell(&"50 owners add one tenant as a member at once");
    for (_, image) in &images {
        world.expect_member(image, &recipient, Some(Status::Pending)).await;
    }
    expect_end(&world, &one_member_each(images)).await;
}

/// An image of each of the owners.
async fn images_of_owners(world: &World) -> Vec<(String, ImageId)> {
    let mut images = Vec::new();
    for number in 0..OWNERS {
        let owner = format!("owner-{number}");
        let image = world.images(&owner, 1).await.remove(0);
        images.push((owner, image));
    }
    images
}

fn one_member_each(images: Vec<(String, ImageId)>) -> Vec<(ImageId, usize)> {
    images.into_iter().map(|(_, image)| (image, 1)).collect()
}

/// Demands the members of each image, and that little was wasted and nothing given up.
async fn expect_end(world: &World, images: &[(ImageId, usize)]) {
    for (image, members) in images {
        world.expect_members(image, u32::try_from(*members).unwrap()).await;
    }
    world.expect_sums();
    world.expect_nothing_given_up();
    world.expect_little_waste();
}
