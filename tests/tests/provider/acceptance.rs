//! `imageshare_acceptance`, from its creation to its end.

use std::time::Duration;

use serde_json::json;

use crate::world::World;

fn acceptance(image: &str, more: &str) -> String {
    format!(
        "resource \"imageshare_acceptance\" \"a\" {{\n  provider = imageshare.recipient\n  image_id = {image:?}\n{more}}}\n"
    )
}

#[tokio::test]
async fn acceptance_is_created_changed_and_destroyed() {
    let Some(world) = World::new().await else { return };
    let image = world.image(json!({"name": "golden"})).await;
    world.share(&image, "mem1").await;
    world.apply(&acceptance(&image, "")).await;
    let state = world.project.state("imageshare_acceptance.a").await;
    assert_eq!((&state["image_name"], &state["owner_project_id"]), (&json!("golden"), &json!("own1")));
    assert_eq!(state["id"], format!("{image}/mem1"));

    world.write(&acceptance(&image, "  decision = \"reject\"\n"));
    assert_eq!(world.project.planned_changes().await, ["imageshare_acceptance.a update"]);
    world.apply(&acceptance(&image, "  decision = \"reject\"\n")).await;
    assert_eq!(world.members(&image).await, ["mem1 rejected"]);
    world.apply(&acceptance(&image, "")).await;
    world.project.destroy().await;
    assert_eq!(world.members(&image).await, ["mem1 rejected"]);
}

#[tokio::test]
async fn drift_of_an_acceptance_is_seen_and_repaired() {
    let Some(world) = World::new().await else { return };
    let image = world.image(json!({"name": "a"})).await;
    world.share(&image, "mem1").await;
    world.apply(&acceptance(&image, "")).await;
    world.decide(&image, "mem1", "rejected").await;
    assert_eq!(world.project.planned_changes().await, ["imageshare_acceptance.a update"]);
    world.apply(&acceptance(&image, "")).await;
    assert_eq!(world.members(&image).await, ["mem1 accepted"]);
}

#[tokio::test]
async fn criterion_4_share_made_anew_is_rejected_by_destroy() {
    let Some(world) = World::new().await else { return };
    let image = world.image(json!({"name": "a"})).await;
    for (on_destroy, left) in [("reject", "mem1 rejected"), ("keep", "mem1 pending")] {
        world.share(&image, "mem1").await;
        world.apply(&acceptance(&image, &format!("  on_destroy = {on_destroy:?}\n"))).await;
        world.unshare(&image, "mem1").await;
        world.share(&image, "mem1").await;
        world.project.destroy().await;
        assert_eq!(world.members(&image).await, [left]);
        world.unshare(&image, "mem1").await;
    }
}

#[tokio::test]
async fn criterion_7_replaced_acceptance_is_accepted_again() {
    let Some(world) = World::new().await else { return };
    let image = world.image(json!({"name": "a"})).await;
    world.share(&image, "mem1").await;
    world.apply(&acceptance(&image, "")).await;
    let replace = "-replace=imageshare_acceptance.a";
    world.project.run(&["apply", "-auto-approve", "-no-color", replace]).await.expect_success();
    assert_eq!(world.members(&image).await, ["mem1 accepted"]);
    world.project.expect_no_changes().await;
}

#[tokio::test]
async fn criterion_8_accepted_image_is_taken_over() {
    let Some(world) = World::new().await else { return };
    let image = world.image(json!({"name": "a"})).await;
    world.share(&image, "mem1").await;
    world.decide(&image, "mem1", "accepted").await;
    let before = world.api.dump_when_idle().await;
    world.apply(&acceptance(&image, "")).await;
    assert_eq!(world.api.dump_when_idle().await, before);

    world.expect_import_equals("imageshare_acceptance.a", &format!("{image}/mem1"), &[]).await;
    world.project.expect_no_changes().await;
    world.expect_import_equals("imageshare_acceptance.a", &image, &[]).await;
    world.project.run(&["state", "rm", "imageshare_acceptance.a"]).await.expect_success();
    let by_block = format!(
        "import {{\n  to = imageshare_acceptance.a\n  id = \"{image}/mem1\"\n}}\n{}",
        acceptance(&image, "")
    );
    world.apply(&by_block).await;
}

#[tokio::test]
async fn criterion_9_trusted_owner_needs_no_switch() {
    let Some(world) = World::new().await else { return };
    let image = world.image(json!({"name": "a"})).await;
    world.send("mem1", "PUT", "/v1/owners/own1", Some(json!({"policy": "trusted"}))).await.expect_status(200);
    world.share(&image, "mem1").await;
    world.apply(&acceptance(&image, "")).await;
}

#[tokio::test]
async fn criterion_10_invitation_is_awaited_only_so_long() {
    let Some(world) = World::new().await else { return };
    let image = world.image(json!({"name": "a"})).await;
    world.write(&acceptance(&image, "  timeouts = { create = \"1s\" }\n"));
    world.project.try_apply().await.expect_error(&[
        "There is no invitation",
        &image,
        "project mem1",
        "timeouts",
    ]);
    world.write(&acceptance(&image, "  wait_for_invitation = false\n"));
    world
        .project
        .try_apply()
        .await
        .expect_error(&["There is no invitation", "is not shared with project mem1"]);
}

#[tokio::test]
async fn criterion_12_membership_that_is_gone_is_destroyed() {
    let Some(world) = World::new().await else { return };
    let image = world.image(json!({"name": "a"})).await;
    let destroy = ["destroy", "-auto-approve", "-no-color", "-refresh=false"];
    world.share(&image, "mem1").await;
    world.apply(&acceptance(&image, "")).await;
    world.unshare(&image, "mem1").await;
    assert_eq!(world.project.planned_changes().await, ["imageshare_acceptance.a create"]);
    world.project.run(&destroy).await.expect_success();

    world.share(&image, "mem1").await;
    world.apply(&acceptance(&image, "")).await;
    world.decide(&image, "mem1", "rejected").await;
    world.project.run(&destroy).await.expect_success();
}

#[tokio::test]
async fn criterion_14_both_sides_are_one_apply() {
    let Some(world) = World::new().await else { return };
    world.write(
        r#"
resource "imageshare_image" "i" {
  name = "golden"
}
resource "imageshare_share" "s" {
  image_ids   = [imageshare_image.i.id]
  project_ids = ["mem1"]
}
resource "imageshare_acceptance" "a" {
  provider = imageshare.recipient
  image_id = imageshare_image.i.id
  depends_on = [imageshare_share.s]
}
data "imageshare_images" "usable" {
  provider   = imageshare.recipient
  name       = imageshare_acceptance.a.image_name
}
output "usable" { value = data.imageshare_images.usable.one }
"#,
    );
    world.project.run(&["apply", "-auto-approve", "-no-color", "-parallelism=1"]).await.expect_success();
    assert_eq!(world.project.output("usable").await, world.text("imageshare_image.i", "id").await);
    world.project.expect_no_changes().await;
    world.project.destroy().await;
}

#[tokio::test]
async fn criterion_15_later_invitation_is_accepted() {
    let Some(world) = World::new().await else { return };
    let image = world.image(json!({"name": "a"})).await;
    world.write(&acceptance(&image, ""));
    let apply = world.project.start(&["apply", "-auto-approve", "-no-color"]);
    tokio::time::sleep(Duration::from_secs(4)).await;
    world.share(&image, "mem1").await;
    world.project.wait(apply).await.expect_success();
    assert_eq!(world.members(&image).await, ["mem1 accepted"]);
}

#[tokio::test]
async fn owner_that_accepts_its_own_image_is_told_so() {
    let Some(world) = World::new().await else { return };
    let image = world.image(json!({"name": "a"})).await;
    world.write(&acceptance(&image, "").replace("  provider = imageshare.recipient\n", ""));
    world.project.try_apply().await.expect_error(&["An owner does not accept its own image", "own1"]);
    world.share(&image, "mem1").await;
    world.write(&acceptance(&image, "  project_id = \"mem2\"\n"));
    world.project.try_apply().await.expect_error(&["Another project decides on this", "mem1", "mem2"]);
}

#[tokio::test]
async fn vault_is_given_and_moved_in_place() {
    let Some(world) = World::new().await else { return };
    let image = world
        .image(json!({"name": "whole", "__whole_image": "true", "__backup_id": "b", "__system_disk_backup_gib": "40"}))
        .await;
    world.share(&image, "mem1").await;
    let vaults = "resource \"imageshare_vault\" \"v\" {\n  provider = imageshare.recipient\n  for_each = toset([\"v1\", \"v2\"])\n  vault_id = each.key\n  capacity_gib = 100\n}\n";
    let into = |vault: &str| {
        format!(
            "{vaults}{}",
            acceptance(&image, &format!("  vault_id = imageshare_vault.v[{vault:?}].vault_id\n"))
        )
    };
    world.apply(&into("v1")).await;
    world.apply(&into("v2")).await;
    let reserved =
        world.send("mem1", "GET", "/v1/vaults/v2", None).await.body["vault"]["reserved_gib"].clone();
    assert_eq!(reserved, 40);
    world.expect_import_equals("imageshare_acceptance.a", &format!("{image}/mem1"), &[]).await;
    world.project.destroy().await;
}

#[tokio::test]
async fn everything_from_an_owner_is_accepted() {
    let Some(world) = World::new().await else { return };
    let all = "resource \"imageshare_acceptance\" \"all\" {\n  provider = imageshare.recipient\n  from_project_id = \"own1\"\n}\n";
    let (a, b) = (world.image(json!({"name": "a"})).await, world.image(json!({"name": "b"})).await);
    world.share(&a, "mem1").await;
    world.apply(all).await;
    assert_eq!(world.members(&a).await, ["mem1 accepted"]);
    world.share(&b, "mem1").await;
    assert_eq!(world.project.planned_changes().await, ["imageshare_acceptance.all update"]);
    world.apply(all).await;
    let state = world.project.state("imageshare_acceptance.all").await;
    assert_eq!(state["images"], json!({a.as_str(): "accepted", b.as_str(): "accepted"}));
    world.expect_import_equals("imageshare_acceptance.all", "own1/*", &[]).await;
    world.project.destroy().await;
    assert_eq!(
        (world.members(&a).await, world.members(&b).await),
        (vec!["mem1 rejected".to_owned()], vec!["mem1 rejected".to_owned()])
    );
}
