//! Seed 001: "If you are not in the same region as the tenant sharing the images with you, you will not receive the message."
//! Seed 002: "You cannot share images across regions."

use imageshare::domain::{Limits, Outcome, Permissions, Status, Task};
use imageshare::table::{AttributeValue, Table, Write};
use imageshare::usecases::{self, Effect, Refusal, carry_out};
use imageshare_tests::service::{LocalService, caller, tenant};

use super::{outcomes, queued, shared, shared_again_before_a_late_unshare, start, status, with_settings};

/// Enters a tenant in the directory, as far as this rule looks at it.
async fn enter(world: &LocalService, id: &str, region: &str) {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let key = [("pk".to_owned(), text(&format!("T#{id}"))), ("sk".to_owned(), text("A"))].into();
    let write = Write::update(key, "SET account = :account, #region = :region")
        .name("#region", "region")
        .value(":account", text(id))
        .value(":region", text(region));
    world.table.write_item(&write).await.unwrap();
}

#[tokio::test]
async fn a_tenant_of_another_region_receives_nothing() {
    let world = start(Limits::default());
    let image = world.image("owner").await;
    enter(&world, "here", "local").await;
    enter(&world, "there", "elsewhere").await;
    let wanted = [Outcome::Done, Outcome::OtherRegion, Outcome::Done];
    assert_eq!(shared(&world, std::slice::from_ref(&image), &["here", "there", "unknown"]).await, wanted);
    assert_eq!(status(&world, &image, "there").await, None);
    let added = usecases::add_member(&world.service, &caller("owner"), &image, &tenant("there")).await;
    let outcome = Outcome::OtherRegion;
    assert_eq!(added, Err(Refusal::Rule { image: image.clone(), tenant: tenant("there"), outcome }));
}

#[tokio::test]
async fn alibabas_call_is_refused_whole_where_one_account_is_of_another_region() {
    let world = start(Limits::default());
    let image = world.image("owner").await;
    enter(&world, "there", "elsewhere").await;
    let add = ["here", "there"].map(tenant).into();
    let wanted = Permissions::new(add, [].into()).unwrap();
    for effect in [Effect::Checked, Effect::Made] {
        let granted =
            usecases::change_permissions(&world.service, &caller("owner"), &image, &wanted, effect).await;
        let outcome = Outcome::OtherRegion;
        assert_eq!(granted, Err(Refusal::Rule { image: image.clone(), tenant: tenant("there"), outcome }));
    }
    assert_eq!(status(&world, &image, "here").await, None);
}

#[tokio::test]
async fn a_complete_directory_knows_everybody_who_can_receive() {
    let world = start(Limits::default());
    let image = world.image("owner").await;
    enter(&world, "here", "local").await;
    let complete = with_settings(&world, |settings| settings.directory_is_complete = true);
    let job = queued(&world, Task::Share, std::slice::from_ref(&image), &["here", "unknown"]).await;
    for key in world.open_pieces().await {
        carry_out(&complete, key).await.unwrap();
    }
    assert_eq!(outcomes(&world, job).await, [Outcome::Done, Outcome::UnknownTenant]);
}

#[tokio::test]
async fn who_moves_away_keeps_what_it_has() {
    let world = start(Limits::default());
    let image = world.image("owner").await;
    shared(&world, std::slice::from_ref(&image), &["mover"]).await;
    enter(&world, "mover", "elsewhere").await;
    assert!(status(&world, &image, "mover").await.is_some());
    assert_eq!(shared(&world, std::slice::from_ref(&image), &["mover"]).await, [Outcome::Done]);
    let another = world.image("owner").await;
    assert_eq!(shared(&world, &[another], &["mover"]).await, [Outcome::OtherRegion]);
}

#[tokio::test]
async fn who_has_moved_away_is_given_nothing_more_of_an_image_that_was_shared_before() {
    let world = start(Limits::default());
    let image = world.image("owner").await;
    shared(&world, std::slice::from_ref(&image), &["mover"]).await;
    enter(&world, "mover", "elsewhere").await;
    let wanted = Permissions::new([tenant("mover")].into(), [].into()).unwrap();
    let granted =
        usecases::change_permissions(&world.service, &caller("owner"), &image, &wanted, Effect::Made).await;
    let outcome = Outcome::OtherRegion;
    assert_eq!(
        granted,
        Err(Refusal::Rule { image: image.clone(), tenant: tenant("mover"), outcome }),
        "it would have accepted by that"
    );
    assert_eq!(status(&world, &image, "mover").await, Some(Status::Pending));
    assert_eq!(shared_again_before_a_late_unshare(&world, &image, "mover").await, Outcome::Done);
    assert_eq!(status(&world, &image, "mover").await, None);
}
