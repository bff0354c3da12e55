//! What a query of memberships costs, and a share of as many images.

use imageshare::domain::{Audience, Limits, Status, TenantId};
use imageshare::usecases::{self, MembershipQuery};

use super::{Measurement, create_image, measurement, metered_service, typical_details};
use crate::local_service::{LocalService, caller, tenant};

/// Queries of 1,000 pairs, in two shapes, and pages of 100 memberships without images; and the largest share.
pub(super) async fn measure() -> Vec<Measurement> {
    let world = LocalService::start(Limits { images_per_tenant: 2_000, ..Limits::default() });
    let mut images = Vec::new();
    for _ in 0..1_000 {
        images.push(create_image(&world, "owner", typical_details()).await);
    }
    let projects: Vec<_> = (0..100).map(|number| tenant(&format!("{number:032x}"))).collect();
    for (images, projects) in [(&images[..10], &projects[..]), (&images[10..100], &projects[..1])] {
        let (images, projects) = (images.to_vec(), projects.to_vec());
        usecases::share(&world.service, &caller("owner"), images, projects, None).await.expect("a job");
        world.run_open_work().await;
    }
    let query = |project: &str, side| MembershipQuery {
        project: tenant(project),
        side,
        images: None,
        counterparts: None,
        statuses: Status::ALL.into(),
    };
    let recipient = projects[0].as_str();
    let mut rows = Vec::new();
    for (call, found, limit, query) in [
        (
            "query the memberships of 10 images × 100 projects",
            1_000,
            1_000,
            MembershipQuery {
                images: Some(images[..10].iter().cloned().collect()),
                counterparts: Some(projects.iter().cloned().collect()),
                ..query("owner", Audience::Owner)
            },
        ),
        (
            "query the memberships of 1,000 images × 1 project",
            100,
            1_000,
            MembershipQuery {
                images: Some(images.iter().cloned().collect()),
                counterparts: Some([projects[0].clone()].into()),
                ..query("owner", Audience::Owner)
            },
        ),
        ("query 100 memberships of 1,000 own images", 100, 100, query("owner", Audience::Owner)),
        ("query 100 received memberships", 100, 100, query(recipient, Audience::Recipient)),
    ] {
        let service = metered_service(&world);
        let me = caller(TenantId::as_str(&query.project));
        let page = usecases::query_memberships(&service, &me, &query, None, limit).await.expect("a page");
        assert_eq!(page.items.len(), found, "{call}");
        rows.push(measurement(call, &service));
    }
    let (service, owner) = (metered_service(&world), caller("owner"));
    usecases::share(&service, &owner, images, projects[..10].to_vec(), None).await.expect("a job");
    rows.push(measurement("share 1,000 images with 10 projects: request", &service));
    rows
}
