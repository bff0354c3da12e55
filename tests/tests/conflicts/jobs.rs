//! Jobs of many pairs, executed by several workers concurrently.

use futures_util::future::{join, join_all};
use imageshare::domain::{Limits, Outcome};

use crate::world::{BatchOperation, World, outcome_count, tenants};

/// Concurrent workers: two or three invocations of the function.
const WORKERS: usize = 10;

#[tokio::test(start_paused = true)]
async fn ten_workers_waste_little_on_a_job_of_10_000_pairs() {
    let world = World::start(Limits::default());
    let (images, tenants) = (world.create_images("owner", 100).await, tenants(100));
    let job = world.submit_batch("owner", BatchOperation::Share, &images, &tenants).await;
    world.run_workers(WORKERS).await;
    world.print_usage(&"100 images × 100 tenants, 10 workers");
    world.expect_done(job, 10_000).await;
    for image in &images {
        world.expect_member_count(image, 100).await;
    }
    world.expect_consistent_sums();
    world.expect_no_failures();
    world.expect_low_waste();
}

#[tokio::test(start_paused = true)]
async fn two_jobs_on_the_same_images_both_complete() {
    let world = World::start(Limits::default());
    let (images, tenants) = (world.create_images("owner", 50).await, tenants(100));
    let (some, others) = tenants.split_at(50);
    let (first, second) = join(
        world.submit_batch("owner", BatchOperation::Share, &images, some),
        world.submit_batch("owner", BatchOperation::Share, &images, others),
    )
    .await;
    world.run_workers(WORKERS).await;
    world.print_usage(&"2 jobs of the same 50 images × 50 other tenants each, 10 workers");
    world.expect_done(first, 2_500).await;
    world.expect_done(second, 2_500).await;
    for image in &images {
        world.expect_member_count(image, 100).await;
    }
    world.expect_consistent_sums();
    world.expect_no_failures();
    world.expect_low_waste();
}

#[tokio::test(start_paused = true)]
async fn two_jobs_on_the_same_pairs_share_each_once() {
    let world = World::start(Limits::default());
    let (images, tenants) = (world.create_images("owner", 50).await, tenants(50));
    let share = || world.submit_batch("owner", BatchOperation::Share, &images, &tenants);
    let (first, second) = join(share(), share()).await;
    world.run_workers(WORKERS).await;
    world.print_usage(&"2 jobs of the same 50 images × 50 tenants, 10 workers");
    world.expect_done(first, 2_500).await;
    world.expect_done(second, 2_500).await;
    for image in &images {
        world.expect_member_count(image, 50).await;
    }
    world.expect_consistent_sums();
    world.expect_no_failures();
    world.expect_low_waste();
}

#[tokio::test(start_paused = true)]
async fn two_jobs_beyond_the_recipient_limit_fill_each_image_exactly() {
    let world = World::start(Limits { members_per_image: 64, ..Limits::default() });
    let (images, tenants) = (world.create_images("owner", 20).await, tenants(100));
    let (some, others) = tenants.split_at(50);
    let (first, second) = join(
        world.submit_batch("owner", BatchOperation::Share, &images, some),
        world.submit_batch("owner", BatchOperation::Share, &images, others),
    )
    .await;
    world.run_workers(WORKERS).await;
    world.print_usage(
        &"2 jobs of the same 20 images × 50 other tenants each, 64 recipients allowed, 10 workers",
    );
    let mut outcomes = [0; 2];
    for job in [first, second] {
        let report = world.report(job).await;
        assert_eq!(report.done_count(), 1_000);
        outcomes[0] += outcome_count(&report, Outcome::Done);
        outcomes[1] += outcome_count(&report, Outcome::MemberLimit);
    }
    assert_eq!(outcomes, [20 * 64, 20 * 36]);
    for image in &images {
        world.expect_member_count(image, 64).await;
    }
    world.expect_consistent_sums();
    world.expect_no_failures();
}

#[tokio::test(start_paused = true)]
async fn twenty_concurrent_small_jobs_on_one_image_complete() {
    let world = World::start(Limits::default());
    let (images, tenants) = (world.create_images("owner", 1).await, tenants(100));
    let share =
        tenants.chunks(5).map(|some| world.submit_batch("owner", BatchOperation::Share, &images, some));
    let jobs = world.run_workers_during(WORKERS, join_all(share)).await;
    world.print_usage(&"20 jobs of one image × 5 tenants each at once, 10 workers");
    for job in jobs {
        world.expect_done(job, 5).await;
    }
    world.expect_member_count(&images[0], 100).await;
    world.expect_consistent_sums();
    world.expect_no_failures();
}
