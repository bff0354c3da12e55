//! Jobs of many pairs, carried out by several workers side by side.

use futures_util::future::{join, join_all};
use imageshare::domain::{Limits, Outcome};

use crate::world::{Batch, World, count, tenants};

/// Workers side by side: two or three invocations of the function.
const WORKERS: usize = 10;

#[tokio::test(start_paused = true)]
async fn ten_workers_waste_little_on_a_job_of_10_000_pairs() {
    let world = World::start(Limits::default());
    let (images, tenants) = (world.images("owner", 100).await, tenants(100));
    let job = world.batch("owner", Batch::Share, &images, &tenants).await;
    world.work(WORKERS).await;
    world.tell(&"100 images × 100 tenants, 10 workers");
    world.expect_done(job, 10_000).await;
    for image in &images {
        world.expect_members(image, 100).await;
    }
    world.expect_sums();
    world.expect_nothing_given_up();
    world.expect_little_waste();
}

#[tokio::test(start_paused = true)]
async fn two_jobs_on_the_same_images_share_them_with_all() {
    let world = World::start(Limits::default());
    let (images, tenants) = (world.images("owner", 50).await, tenants(100));
    let (some, others) = tenants.split_at(50);
    let (first, second) = join(
        world.batch("owner", Batch::Share, &images, some),
        world.batch("owner", Batch::Share, &images, others),
    )
    .await;
    world.work(WORKERS).await;
    world.tell(&"2 jobs of the same 50 images × 50 other tenants each, 10 workers");
    world.expect_done(first, 2_500).await;
    world.expect_done(second, 2_500).await;
    for image in &images {
        world.expect_members(image, 100).await;
    }
    world.expect_sums();
    world.expect_nothing_given_up();
    world.expect_little_waste();
}

#[tokio::test(start_paused = true)]
async fn two_jobs_on_the_same_pairs_share_each_once() {
    let world = World::start(Limits::default());
    let (images, tenants) = (world.images("owner", 50).await, tenants(50));
    let share = || world.batch("owner", Batch::Share, &images, &tenants);
    let (first, second) = join(share(), share()).await;
    world.work(WORKERS).await;
    world.tell(&"2 jobs of the same 50 images × 50 tenants, 10 workers");
    world.expect_done(first, 2_500).await;
    world.expect_done(second, 2_500).await;
    for image in &images {
        world.expect_members(image, 50).await;
    }
    world.expect_sums();
    world.expect_nothing_given_up();
    world.expect_little_waste();
}

#[tokio::test(start_paused = true)]
async fn two_jobs_beyond_the_recipient_limit_fill_each_image_exactly() {
    let world = World::start(Limits { members_per_image: 64, ..Limits::default() });
    let (images, tenants) = (world.images("owner", 20).await, tenants(100));
    let (some, others) = tenants.split_at(50);
    let (first, second) = join(
        world.batch("owner", Batch::Share, &images, some),
        world.batch("owner", Batch::Share, &images, others),
    )
    .await;
    world.work(WORKERS).await;
    world.tell(&"2 jobs of the same 20 images × 50 other tenants each, 64 recipients allowed, 10 workers");
    let mut outcomes = [0; 2];
    for job in [first, second] {
        let report = world.report(job).await;
        assert_eq!(report.done(), 1_000);
        outcomes[0] += count(&report, Outcome::Done);
        outcomes[1] += count(&report, Outcome::MemberLimit);
    }
    assert_eq!(outcomes, [20 * 64, 20 * 36]);
    for image in &images {
        world.expect_members(image, 64).await;
    }
    world.expect_sums();
    world.expect_nothing_given_up();
}

#[tokio::test(start_paused = true)]
async fn twenty_small_jobs_on_one_image_at_once_are_all_done() {
    let world = World::start(Limits::default());
    let (images, tenants) = (world.images("owner", 1).await, tenants(100));
    let share = tenants.chunks(5).map(|some| world.batch("owner", Batch::Share, &images, some));
    let jobs = world.work_beside(WORKERS, join_all(share)).await;
    world.tell(&"20 jobs of one image × 5 tenants each at once, 10 workers");
    for job in jobs {
        world.expect_done(job, 5).await;
    }
    world.expect_members(&images[0], 100).await;
    world.expect_sums();
    world.expect_nothing_given_up();
}
