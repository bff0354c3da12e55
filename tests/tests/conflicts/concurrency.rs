//! Many tenants at once on one image, and many owners at once with one tenant.

use std::time::Duration;

use futures_util::future::join_all;
use imageshare::domain::{ImageId, Limits, Status};
use imageshare_tests::local_service::tenant;
use tokio::time::sleep;

use crate::world::{BatchOperation, World, tenants};

/// Recipients that decide at once.
const RECIPIENTS: usize = 200;

/// Owners that share at once.
const OWNERS: usize = 50;

/// Concurrent workers.
const WORKERS: usize = 10;

#[tokio::test(start_paused = true)]
async fn concurrent_decisions_on_one_image_all_succeed() {
    let world = World::start(Limits::default());
    let (image, tenants) = (world.create_images("owner", 1).await.remove(0), tenants(RECIPIENTS));
    world.share_before_test("owner", &image, &tenants).await;
    join_all(tenants.iter().map(|tenant| world.decide(&image, tenant, Status::Accepted))).await;
    world.print_usage(&"200 members of one image decide at once");
    for tenant in &tenants {
        world.expect_status(&image, tenant, Some(Status::Accepted)).await;
    }
    expect_final_state(&world, &[(image, RECIPIENTS)]).await;
}

#[tokio::test(start_paused = true)]
async fn concurrent_batch_responses_to_one_image_all_succeed() {
    let world = World::start(Limits::default());
    let (image, tenants) = (world.create_images("owner", 1).await.remove(0), tenants(RECIPIENTS));
    world.share_before_test("owner", &image, &tenants).await;
    let images = [image.clone()];
    let respond = tenants.iter().map(|tenant| {
        let tenants = std::slice::from_ref(tenant);
        world.submit_batch(tenant.as_str(), BatchOperation::Respond(Status::Rejected), &images, tenants)
    });
    let jobs = world.run_workers_during(WORKERS, join_all(respond)).await;
    world.print_usage(&"200 tenants respond to one image in batch requests at once, 10 workers");
    for (tenant, job) in tenants.iter().zip(jobs) {
        world.expect_done(job, 1).await;
        world.expect_status(&image, tenant, Some(Status::Rejected)).await;
    }
    expect_final_state(&world, &[(image, RECIPIENTS)]).await;
}

#[tokio::test(start_paused = true)]
async fn decisions_during_a_job_on_the_same_pairs_are_kept() {
    let world = World::start(Limits::default());
    let (images, tenants) = (world.create_images("owner", 1).await, tenants(100));
    world.share_before_test("owner", &images[0], &tenants).await;
    for tenant in &tenants {
        world.decide_before_test(&images[0], tenant, Status::Rejected).await;
    }
    let job = world.submit_batch("owner", BatchOperation::Share, &images, &tenants).await;
    // One decision per millisecond, while the job writes the same memberships.
    let responses = (0..).zip(&tenants).map(async |(number, tenant)| {
        sleep(Duration::from_millis(number)).await;
        world.decide(&images[0], tenant, Status::Accepted).await;
    });
    world.run_workers_during(WORKERS, join_all(responses)).await;
    world.print_usage(&"100 members change their decisions while the owner shares with them again");
    assert!(world.condition_failures() > 0, "nothing was met");
    world.expect_done(job, 100).await;
    for tenant in &tenants {
        world.expect_status(&images[0], tenant, Some(Status::Accepted)).await;
    }
    world.expect_member_count(&images[0], 100).await;
    world.expect_consistent_sums();
    world.expect_no_failures();
}

#[tokio::test(start_paused = true)]
async fn concurrent_shares_with_one_tenant_all_succeed() {
    let world = World::start(Limits::default());
    let (images, recipient) = (one_image_per_owner(&world).await, tenant("recipient"));
    let tenants = [recipient.clone()];
    let share = images.iter().map(|(owner, image)| {
        world.submit_batch(owner, BatchOperation::Share, std::slice::from_ref(image), &tenants)
    });
    let jobs = world.run_workers_during(WORKERS, join_all(share)).await;
    world.print_usage(&"50 owners share with one tenant in batch requests at once, 10 workers");
    for ((_, image), job) in images.iter().zip(jobs) {
        world.expect_done(job, 1).await;
        world.expect_status(image, &recipient, Some(Status::Pending)).await;
    }
    expect_final_state(&world, &one_member_per_image(images)).await;
}

#[tokio::test(start_paused = true)]
async fn concurrent_adds_of_one_tenant_by_many_owners_all_succeed() {
    let world = World::start(Limits::default());
    let (images, recipient) = (one_image_per_owner(&world).await, tenant("recipient"));
    join_all(images.iter().map(|(owner, image)| world.add_member(owner, image, &recipient))).await;
    world.print_usage(&"50 owners add one tenant as a member at once");
    for (_, image) in &images {
        world.expect_status(image, &recipient, Some(Status::Pending)).await;
    }
    expect_final_state(&world, &one_member_per_image(images)).await;
}

/// An image of each owner.
async fn one_image_per_owner(world: &World) -> Vec<(String, ImageId)> {
    let mut images = Vec::new();
    for number in 0..OWNERS {
        let owner = format!("owner-{number}");
        let image = world.create_images(&owner, 1).await.remove(0);
        images.push((owner, image));
    }
    images
}

fn one_member_per_image(images: Vec<(String, ImageId)>) -> Vec<(ImageId, usize)> {
    images.into_iter().map(|(_, image)| (image, 1)).collect()
}

/// Asserts the members of each image, and that little was wasted and nothing given up.
async fn expect_final_state(world: &World, images: &[(ImageId, usize)]) {
    for (image, members) in images {
        world.expect_member_count(image, u32::try_from(*members).unwrap()).await;
    }
    world.expect_consistent_sums();
    world.expect_no_failures();
    world.expect_low_waste();
}
