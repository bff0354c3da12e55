//! Seed 001: "If you are not in the same region as the tenant sharing the images with you, you will not receive the message."
//! Seed 002: "You cannot share images across regions."

use imageshare::domain::{Limits, Outcome, PermissionChange, Status, Task};
use imageshare::table::{AttributeValue, Table, Write};
use imageshare::usecases::{self, DryRun, UseCaseError, execute};
use imageshare_tests::local_service::{LocalService, caller, tenant};

use super::{
    execute_and_get_outcomes, member_status, queue_job, reshare_before_late_unshare, service_with_settings,
    share_and_execute, start_service,
};

/// Adds a tenant to the directory, with the fields that this rule reads.
async fn put_tenant_in_region(world: &LocalService, id: &str, region: &str) {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let key = [("pk".to_owned(), text(&format!("T#{id}"))), ("sk".to_owned(), text("A"))].into();
    let write = Write::update(key, "SET account = :account, #region = :region")
        .name("#region", "region")
        .value(":account", text(id))
        .value(":region", text(region));
    world.table.write_item(&write).await.unwrap();
}

#[tokio::test]
async fn tenant_of_another_region_receives_no_shares() {
    let world = start_service(Limits::default());
    let image = world.create_image("owner").await;
    put_tenant_in_region(&world, "here", "local").await;
    put_tenant_in_region(&world, "there", "elsewhere").await;
    let expected = [Outcome::Done, Outcome::OtherRegion, Outcome::Done];
    assert_eq!(
        share_and_execute(&world, std::slice::from_ref(&image), &["here", "there", "unknown"]).await,
        expected
    );
    assert_eq!(member_status(&world, &image, "there").await, None);
    let added = usecases::add_member(&world.service, &caller("owner"), &image, &tenant("there"), None).await;
    let outcome = Outcome::OtherRegion;
    assert_eq!(
        added,
        Err(UseCaseError::RuleViolation { image: image.clone(), tenant: tenant("there"), outcome })
    );
}

#[tokio::test]
async fn permission_change_with_a_foreign_region_account_is_refused() {
    let world = start_service(Limits::default());
    let image = world.create_image("owner").await;
    put_tenant_in_region(&world, "there", "elsewhere").await;
    let add = ["here", "there"].map(tenant).into();
    let change = PermissionChange::new(add, [].into()).unwrap();
    for effect in [DryRun::On, DryRun::Off] {
        let changed =
            usecases::change_permissions(&world.service, &caller("owner"), &image, &change, effect).await;
        let outcome = Outcome::OtherRegion;
        assert_eq!(
            changed,
            Err(UseCaseError::RuleViolation { image: image.clone(), tenant: tenant("there"), outcome })
        );
    }
    assert_eq!(member_status(&world, &image, "here").await, None);
}

#[tokio::test]
async fn complete_directory_rejects_unknown_tenants() {
    let world = start_service(Limits::default());
    let image = world.create_image("owner").await;
    put_tenant_in_region(&world, "here", "local").await;
    let complete = service_with_settings(&world, |settings| settings.directory_is_complete = true);
    let job = queue_job(&world, Task::Share, std::slice::from_ref(&image), &["here", "unknown"]).await;
    for key in world.open_work_items().await {
        execute(&complete, key).await.unwrap();
    }
    assert_eq!(execute_and_get_outcomes(&world, job).await, [Outcome::Done, Outcome::UnknownTenant]);
}

#[tokio::test]
async fn tenant_that_changes_region_keeps_its_memberships() {
    let world = start_service(Limits::default());
    let image = world.create_image("owner").await;
    share_and_execute(&world, std::slice::from_ref(&image), &["mover"]).await;
    put_tenant_in_region(&world, "mover", "elsewhere").await;
    assert!(member_status(&world, &image, "mover").await.is_some());
    assert_eq!(share_and_execute(&world, std::slice::from_ref(&image), &["mover"]).await, [Outcome::Done]);
    let another = world.create_image("owner").await;
    assert_eq!(share_and_execute(&world, &[another], &["mover"]).await, [Outcome::OtherRegion]);
}

#[tokio::test]
async fn tenant_that_changed_region_gets_no_auto_accepted_share() {
    let world = start_service(Limits::default());
    let image = world.create_image("owner").await;
    share_and_execute(&world, std::slice::from_ref(&image), &["mover"]).await;
    put_tenant_in_region(&world, "mover", "elsewhere").await;
    let change = PermissionChange::new([tenant("mover")].into(), [].into()).unwrap();
    let changed =
        usecases::change_permissions(&world.service, &caller("owner"), &image, &change, DryRun::Off).await;
    let outcome = Outcome::OtherRegion;
    assert_eq!(
        changed,
        Err(UseCaseError::RuleViolation { image: image.clone(), tenant: tenant("mover"), outcome }),
        "it would have accepted by that"
    );
    assert_eq!(member_status(&world, &image, "mover").await, Some(Status::Pending));
    assert_eq!(reshare_before_late_unshare(&world, &image, "mover").await, Outcome::Done);
    assert_eq!(member_status(&world, &image, "mover").await, None);
}
