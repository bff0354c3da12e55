//! What the list of a project's jobs costs.

use imageshare::domain::Limits;
use imageshare::usecases::{self, JobQuery};

use super::{Measurement, measurement, metered_service, typical_image};
use crate::local_service::{LocalService, caller, tenant};

/// Pages of 20 jobs of one pair, and then of 19 with one of 10,000 pairs.
pub(super) async fn list_calls() -> Vec<Measurement> {
    let (world, owner) = (LocalService::start(Limits::default()), caller("owner"));
    let mut images = Vec::new();
    for _ in 0..100 {
        images.push(typical_image(&world, "owner").await);
    }
    let tenants: Vec<_> = (0..100).map(|number| tenant(&format!("{number:032x}"))).collect();
    for image in &images[..20] {
        let (image, to) = (vec![image.clone()], tenants[..1].to_vec());
        usecases::share(&world.service, &owner, image, to, None).await.expect("a job");
    }
    let mut rows = vec![list(&world, "page of 20 jobs of 1 pair").await];
    usecases::share(&world.service, &owner, images, tenants, None).await.expect("a job");
    world.run_open_work().await;
    rows.push(list(&world, "page of 20 jobs, 1 of them of 10,000 pairs").await);
    rows
}

async fn list(world: &LocalService, call: &'static str) -> Measurement {
    world.carry_out_effects().await;
    let (service, owner) = (metered_service(world), caller("owner"));
    let query = JobQuery::all(owner.tenant.clone());
    let page = usecases::list_jobs(&service, &owner, &query, None, 20).await.expect("a page");
    assert_eq!(page.items.len(), 20);
    measurement(call, &service)
}
