//! What trusted and blocked owners cost.

use imageshare::App;
use imageshare::domain::{Limits, Policy, Protection, VaultDetails, VaultId, VaultStatus};
use imageshare::usecases;

use super::{Measurement, measurement, metered_service};
use crate::local_service::{LocalService, caller, tenant};

/// The calls on policies, and what policies add to a share.
pub(super) async fn calls() -> Vec<Measurement> {
    let world = LocalService::start(Limits::default());
    let (owner, recipient) = (caller("owner"), caller("mem1"));
    let mut rows = Vec::new();
    let share = async |app: &App, image| {
        usecases::share(app, &owner, vec![image], vec![tenant("mem1")], None).await.expect("a job");
    };
    share(&world.service, world.create_image("owner").await).await;
    let details =
        VaultDetails { protection: Protection::Backup, status: VaultStatus::Available, capacity_gib: 100 };
    let vault: VaultId = "vault".parse().expect("an id");
    usecases::put_vault(&world.service, &recipient, vault.clone(), &details).await.expect("a vault");
    let trusted = Policy::Trusted { vault: Some(vault) };
    for (policy, call) in [
        (trusted.clone(), "trust an owner, with a vault"),
        (Policy::Blocked, "block an owner that was trusted"),
    ] {
        let service = metered_service(&world);
        usecases::put_owner_policy(&service, &recipient, tenant("owner"), policy).await.expect("a policy");
        rows.push(measurement(call, &service));
    }
    let image = world.create_image("owner").await;
    let service = metered_service(&world);
    share(&service, image).await;
    rows.push(measurement("share 1 image with 1 project that blocks its owner", &service));
    usecases::put_owner_policy(&world.service, &recipient, tenant("owner"), trusted).await.expect("a policy");
    let full_ecs = [("__whole_image", "true"), ("__backup_id", "b"), ("__system_disk_backup_gib", "40")];
    for (properties, call) in [
        (&[][..], "share 1 image with 1 project that trusts its owner"),
        (&full_ecs[..], "share 1 full-ECS image with 1 project that trusts its owner"),
    ] {
        let image = world.create_image_with("owner", properties).await;
        let service = metered_service(&world);
        share(&service, image).await;
        rows.push(measurement(call, &service));
    }
    let service = metered_service(&world);
    usecases::delete_owner_policy(&service, &recipient, tenant("owner")).await.expect("removed");
    rows.push(measurement("remove a policy on an owner", &service));
    rows
}
