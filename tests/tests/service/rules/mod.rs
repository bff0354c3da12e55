//! The rules of consent that concern more than one image and one tenant: keys, vaults, regions, limits, and decisions
//! on everything. `shared/RULES.md` lists all rules.

mod facades;
mod key_grants;
mod limits;
mod owner_policies;
mod races;
mod regions;
mod respond_to_all;
mod respond_to_owners;
mod rules_document;
mod vaults;

use std::sync::Arc;

use imageshare::domain::{ImageId, JobId, Limits, Outcome, Status, Task};
use imageshare::usecases::{self, execute};
use imageshare::{App, Settings};
use imageshare_tests::local_service::{LocalService, caller, job_at, tenant};
use imageshare_tests::totals;

/// A full-ECS image of 60 GiB.
const FULL_ECS: [(&str, &str); 4] = [
    ("__whole_image", "true"),
    ("__backup_id", "backup"),
    ("__system_disk_backup_gib", "40"),
    ("__data_disk_backup_gib", "20"),
];

async fn share(world: &LocalService, images: &[ImageId], tenants: &[&str]) -> JobId {
    let tenants: Vec<_> = tenants.iter().map(|id| tenant(id)).collect();
    usecases::share(&world.service, &caller("owner"), images.to_vec(), tenants, None).await.unwrap()
}

/// Queues a request of the owner, as one that is too large to be executed at once.
async fn queue_job(world: &LocalService, task: Task, images: &[ImageId], tenants: &[&str]) -> JobId {
    let tenants = tenants.iter().map(|id| tenant(id)).collect();
    let job = job_at(world.service.clock().stamp(), "owner", task, images.to_vec(), tenants);
    world.queue_job(&job).await;
    job.id
}

/// Shares, and executes the job.
async fn share_and_execute(world: &LocalService, images: &[ImageId], tenants: &[&str]) -> Vec<Outcome> {
    let job = share(world, images, tenants).await;
    execute_and_get_outcomes(world, job).await
}

async fn unshare_and_execute(world: &LocalService, images: &[ImageId], tenants: &[&str]) {
    let tenants: Vec<_> = tenants.iter().map(|id| tenant(id)).collect();
    let job =
        usecases::unshare(&world.service, &caller("owner"), images.to_vec(), tenants, None).await.unwrap();
    assert!(execute_and_get_outcomes(world, job).await.iter().all(|outcome| *outcome == Outcome::Done));
}

/// Decides, and executes the job.
async fn respond_and_execute(
    world: &LocalService,
    images: &[ImageId],
    tenant_id: &str,
    (status, vault): (Status, Option<&str>),
) -> Vec<Outcome> {
    let (me, decision) = (caller(tenant_id), (status, vault.map(|id| id.parse().unwrap())));
    let job = usecases::respond(&world.service, &me, tenant(tenant_id), images.to_vec(), decision, None);
    execute_and_get_outcomes(world, job.await.unwrap()).await
}

/// The outcomes of a job after all open work is executed. Asserts that every counter is right.
async fn execute_and_get_outcomes(world: &LocalService, job: JobId) -> Vec<Outcome> {
    world.run_open_work().await;
    totals::assert_consistent(&world.embedded);
    let report = world.job_report(job).await;
    assert!(report.ended_at().is_some());
    report.outcomes().map(|(_, _, outcome)| outcome).collect()
}

/// Requests an unshare of a member, then a share with it, and executes the share first. Returns the share's outcome.
async fn reshare_before_late_unshare(world: &LocalService, image: &ImageId, tenant_id: &str) -> Outcome {
    let images = std::slice::from_ref(image);
    queue_job(world, Task::Unshare, images, &[tenant_id]).await;
    let again = queue_job(world, Task::Share, images, &[tenant_id]).await;
    let newest = world.open_work_items().await.into_iter().find(|work_item| work_item.job == again).unwrap();
    execute(&world.service, newest).await.unwrap();
    execute_and_get_outcomes(world, again).await[0]
}

/// Executes all open work concurrently.
async fn execute_concurrently(world: &LocalService) {
    let work_items = world.open_work_items().await.into_iter();
    let workers: Vec<_> = work_items
        .map(|key| {
            let service = world.service.clone();
            tokio::spawn(async move { execute(&service, key).await })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap().unwrap();
    }
    // A work item that conflicted too often is tried again, as the queue does.
    world.run_open_work().await;
}

async fn member_status(world: &LocalService, image: &ImageId, tenant_id: &str) -> Option<Status> {
    let (_, member) = world.service.store.image_and_member(image, &tenant(tenant_id)).await.unwrap();
    member.map(|member| member.status)
}

/// The same service with other settings over the same table.
fn service_with_settings(world: &LocalService, change: impl FnOnce(&mut Settings)) -> App {
    let mut settings = Settings::clone(&world.service.settings);
    change(&mut settings);
    App { settings: Arc::new(settings), ..world.service.clone() }
}

/// The limit per owner is raised to the limit of all owners.
fn start_service(limits: Limits) -> LocalService {
    LocalService::start(Limits { pending_per_owner: 100_000, ..limits })
}
