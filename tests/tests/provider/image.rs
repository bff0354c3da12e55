//! `imageshare_image`, from its creation to its end.

use serde_json::{Value, json};

use crate::world::{OWNER, World};

const IMAGE: &str = r#"
resource "imageshare_image" "i" {
  name       = "golden-1"
  tags       = ["released", "web"]
  properties = { __os_type = "Linux", team = "platform" }
  min_disk   = 40
}
"#;

#[tokio::test]
async fn image_is_created_updated_replaced_and_destroyed() {
    let Some(world) = World::new().await else { return };
    world.apply(IMAGE).await;
    let created = world.project.state("imageshare_image.i").await;
    assert_eq!((&created["visibility"], &created["owner_project_id"]), (&json!("shared"), &json!(OWNER)));

    let changed =
        IMAGE.replace("golden-1", "golden-2").replace("\"web\"", "\"arm64\"").replace("team =", "crew =");
    world.write(&changed);
    assert_eq!(world.project.planned_changes().await, ["imageshare_image.i update"]);
    world.apply(&changed).await;
    let updated = world.project.state("imageshare_image.i").await;
    assert_eq!(updated["id"], created["id"]);
    assert_eq!(updated["properties"], json!({"__os_type": "Linux", "crew": "platform"}));

    // A format can be set later, but not changed.
    let with_format = changed.replace("min_disk ", "disk_format = \"qcow2\"\n  min_disk ");
    world.write(&with_format);
    assert_eq!(world.project.planned_changes().await, ["imageshare_image.i update"]);
    world.apply(&with_format).await;
    world.write(&with_format.replace("qcow2", "raw"));
    assert_eq!(world.project.planned_changes().await, ["imageshare_image.i replace"]);
    world.project.apply().await;
    assert_ne!(world.text("imageshare_image.i", "id").await, updated["id"]);
    world.project.destroy().await;
}

#[tokio::test]
async fn image_without_optional_arguments_has_no_diff() {
    let Some(world) = World::new().await else { return };
    let minimal = "resource \"imageshare_image\" \"i\" {\n  name = \"a\"\n}\n";
    world.apply(minimal).await;
    world
        .expect_import_equals("imageshare_image.i", &world.text("imageshare_image.i", "id").await, &[])
        .await;
    world.project.expect_no_changes().await;
    world.apply(&minimal.replace("}\n", "  tags = []\n  properties = {}\n}\n")).await;
    world.apply(minimal).await;
}

#[tokio::test]
async fn drift_of_an_image_is_seen_and_repaired() {
    let Some(world) = World::new().await else { return };
    world.apply(IMAGE).await;
    let url = format!("/v2/images/{}", world.text("imageshare_image.i", "id").await);
    let patch = json!([
        {"op": "replace", "path": "/name", "value": "other"},
        {"op": "add", "path": "/colour", "value": "red"},
        {"op": "remove", "path": "/team"},
    ]);
    world.send(OWNER, "PATCH", &url, Some(patch)).await.expect_status(200);
    assert_eq!(world.project.planned_changes().await, ["imageshare_image.i update"]);
    world.apply(IMAGE).await;
    let image = world.send(OWNER, "GET", &url, None).await.body;
    assert_eq!(
        (&image["name"], &image["team"], &image["colour"]),
        (&json!("golden-1"), &json!("platform"), &Value::Null)
    );

    world.send(OWNER, "DELETE", &url, None).await.expect_status(204);
    assert_eq!(world.project.planned_changes().await, ["imageshare_image.i create"]);
    world.apply(IMAGE).await;
    let again = format!("/v2/images/{}", world.text("imageshare_image.i", "id").await);
    world.send(OWNER, "DELETE", &again, None).await.expect_status(204);
    world.project.run(&["destroy", "-auto-approve", "-no-color", "-refresh=false"]).await.expect_success();
}

#[tokio::test]
async fn criterion_23_imported_image_equals_the_created_one() {
    let Some(world) = World::new().await else { return };
    world.apply(IMAGE).await;
    let id = world.text("imageshare_image.i", "id").await;
    world.expect_import_equals("imageshare_image.i", &id, &[]).await;
    world.project.expect_no_changes().await;
}

#[tokio::test]
async fn shared_image_is_destroyed_only_if_that_is_asked_for() {
    let Some(world) = World::new().await else { return };
    world.apply(IMAGE).await;
    let id = world.text("imageshare_image.i", "id").await;
    world.share(&id, "mem1").await;
    let refused = world.project.run(&["destroy", "-auto-approve", "-no-color"]).await;
    refused.expect_error(&["The image is shared", "on_destroy = \"unshare\""]);
    assert_eq!(world.members(&id).await, ["mem1 pending"]);

    world.apply(&IMAGE.replace("min_disk ", "on_destroy = \"unshare\"\n  min_disk ")).await;
    world.project.destroy().await;
    world.send("mem1", "GET", &format!("/v2/images/{id}"), None).await.expect_status(404);
}
