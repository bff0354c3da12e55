//! Imports by identity (Terraform 1.12) and lists (1.14) of the real resources.

use imageshare_tests::terraform::Ended;
use serde_json::json;

use crate::world::World;

/// Applies a resource, forgets it, and imports it by this identity. Returns what that import has printed. Nothing is left to do
/// then.
async fn import(world: &World, address: &str, identity: &str, configuration: &str) -> Ended {
    world.apply(configuration).await;
    let stored = world.project.stored_state();
    assert!(stored.contains("\"identity_schema_version\"") && stored.contains("\"identity\""), "{stored}");
    world.project.forget_state();
    let block = format!("import {{\n  to       = {address}\n  identity = {identity}\n}}\n");
    world.write(&format!("{block}{configuration}"));
    let ended = world.project.apply().await;
    world.project.expect_no_changes().await;
    ended
}

/// The same, and the import changes nothing.
async fn expect_import(world: &World, address: &str, identity: &str, configuration: &str) {
    let ended = import(world, address, identity, configuration).await;
    ended.expect_output(&["1 imported, 0 added, 0 changed, 0 destroyed"]);
}

#[tokio::test]
async fn image_is_imported_by_its_identity() {
    let Some(world) = World::newest().await else { return };
    let image = "resource \"imageshare_image\" \"i\" {\n  name = \"golden\"\n}\n";
    world.apply(image).await;
    let id = world.text("imageshare_image.i", "id").await;
    expect_import(&world, "imageshare_image.i", &format!("{{ id = {id:?} }}"), image).await;
}

#[tokio::test]
async fn share_is_imported_by_its_identity() {
    let Some(world) = World::newest().await else { return };
    let (a, b) = (world.image(json!({"name": "a"})).await, world.image(json!({"name": "b"})).await);
    let share = |projects: &[&str]| {
        format!(
            "resource \"imageshare_share\" \"s\" {{\n  image_ids   = [{a:?}, {b:?}]\n  project_ids = {projects:?}\n}}\n"
        )
    };
    let address = "imageshare_share.s";
    let all = format!("{{ image_ids = [{b:?}, {a:?}] }}");
    expect_import(&world, address, &all, &share(&["p1", "p2"])).await;
    // With others, and members that are not of this share.
    world.share(&a, "other").await;
    let some = format!("{{ image_ids = [{a:?}, {b:?}], project_ids = [\"p2\", \"p1\"] }}");
    expect_import(&world, address, &some, &share(&["p1", "p2"])).await;
    assert_eq!(world.members(&a).await, ["other pending", "p1 pending", "p2 pending"]);
}

#[tokio::test]
async fn identity_of_a_share_follows_its_sets() {
    let Some(world) = World::newest().await else { return };
    let (a, b) = (world.image(json!({"name": "a"})).await, world.image(json!({"name": "b"})).await);
    let share = |images: &[&str], projects: &str| {
        format!(
            "resource \"terraform_data\" \"new\" {{\n  input = \"p9\"\n}}\nresource \"imageshare_share\" \"s\" {{\n  \
             image_ids   = {images:?}\n  project_ids = [{projects}]\n}}\n"
        )
    };
    world.apply(&share(&[&a], "\"p1\"")).await;
    let id = world.text("imageshare_share.s", "id").await;
    world.apply(&share(&[&a, &b], "\"p1\", \"p2\"")).await;
    // One that is not known before the apply, and one that is gone.
    world.apply(&share(&[&b], "\"p2\", terraform_data.new.output")).await;
    world.unshare(&b, "p9").await;
    world.apply(&share(&[&b], "\"p2\", terraform_data.new.output")).await;
    assert_eq!(world.text("imageshare_share.s", "id").await, id);
    assert_eq!(world.members(&b).await, ["p2 pending", "p9 pending"]);
    world.project.destroy().await;
}

#[tokio::test]
async fn acceptance_is_imported_by_its_identity() {
    let Some(world) = World::newest().await else { return };
    let image = world.image(json!({"name": "a"})).await;
    world.share(&image, "mem1").await;
    let one = format!(
        "resource \"imageshare_acceptance\" \"a\" {{\n  provider = imageshare.recipient\n  image_id = {image:?}\n}}\n"
    );
    let identity = format!("{{ id = \"{image}/mem1\" }}");
    expect_import(&world, "imageshare_acceptance.a", &identity, &one).await;
    world.project.forget_state();
    let all = "resource \"imageshare_acceptance\" \"a\" {\n  provider = imageshare.recipient\n  from_project_id = \"own1\"\n}\n";
    expect_import(&world, "imageshare_acceptance.a", "{ id = \"own1/*\" }", all).await;
}

#[tokio::test]
async fn records_of_a_project_are_imported_by_identity() {
    let Some(world) = World::newest().await else { return };
    for (kind, identity, arguments) in [
        (
            "share_rule",
            "{ name = \"golden\" }",
            "name = \"golden\"\npattern = jsonencode({ name = [\"g\"] })\nproject_ids = [\"p1\"]",
        ),
        (
            "key_grant",
            "{ key_id = \"key-1\", project_id = \"mem1\" }",
            "key_id = \"key-1\"\nproject_id = \"mem1\"",
        ),
        ("vault", "{ vault_id = \"v1\" }", "vault_id = \"v1\"\ncapacity_gib = 100"),
        ("trusted_owner", "{ project_id = \"own2\" }", "project_id = \"own2\""),
        (
            "tenant",
            "{ project_id = \"p1\" }",
            "provider = imageshare.admin\nproject_id = \"p1\"\naccount = \"Acme\"\nproject = \"web\"",
        ),
    ] {
        let configuration = format!("resource \"imageshare_{kind}\" \"r\" {{\n{arguments}\n}}\n");
        expect_import(&world, &format!("imageshare_{kind}.r"), identity, &configuration).await;
        world.project.destroy().await;
    }
}

#[tokio::test]
async fn access_key_is_imported_by_its_identity() {
    let Some(world) = World::newest().await else { return };
    let key = "resource \"imageshare_access_key\" \"k\" {\n  name              = \"ci\"\n  secret_wo         = \"correct-horse-battery-staple-0001\"\n  secret_wo_version = 1\n}\n";
    world.apply(key).await;
    let id = world.text("imageshare_access_key.k", "id").await;
    // Which version of the secret it is, only the configuration knows.
    let ended = import(&world, "imageshare_access_key.k", &format!("{{ id = {id:?} }}"), key).await;
    ended.expect_output(&["1 imported, 0 added, 1 changed, 0 destroyed"]);
    assert_eq!(world.text("imageshare_access_key.k", "id").await, id);
}

#[tokio::test]
async fn identity_that_does_not_exist_is_an_error() {
    let Some(world) = World::newest().await else { return };
    for (kind, identity, arguments, error) in [
        ("vault", "{ vault_id = \"v9\" }", "vault_id = \"v9\"\ncapacity_gib = 1", "does not exist"),
        (
            "share",
            "{ image_ids = [\"d164b5df-1bc3-4c3f-893e-3e471fd16e64\"] }",
            "image_ids = [\"d164b5df-1bc3-4c3f-893e-3e471fd16e64\"]\nproject_ids = [\"p1\"]",
            "does not exist",
        ),
        ("acceptance", "{ id = \"a/b/c\" }", "image_id = \"a\"", "Expected <image_id>/<project_id>"),
    ] {
        let address = format!("imageshare_{kind}.r");
        world.write(&format!(
            "import {{\n  to       = {address}\n  identity = {identity}\n}}\nresource \"imageshare_{kind}\" \"r\" {{\n{arguments}\n}}\n"
        ));
        world.project.run(&["plan", "-no-color"]).await.expect_error(&[error]);
    }
}

#[tokio::test]
async fn inbox_is_listed_and_accepted() {
    let Some(world) = World::newest().await else { return };
    let mut images = Vec::new();
    for (name, project) in [("one", "mem1"), ("two", "mem1"), ("three", "mem1"), ("other", "mem2")] {
        let image = world.image(json!({"name": name})).await;
        world.share(&image, project).await;
        images.push(image);
    }
    world.decide(&images[2], "mem1", "rejected").await;
    world.write("");
    let list = |arguments: &str, config: &str| {
        format!(
            "list \"imageshare_acceptance\" \"inbox\" {{\n  provider = imageshare.recipient\n{arguments}  config {{\n{config}  }}\n}}\n"
        )
    };
    let pending = "    statuses = [\"pending\"]\n    owner_project_ids = [\"own1\"]\n";
    for (arguments, config, names) in [
        ("", "", &["one", "two", "three"][..]),
        ("", "    statuses = [\"rejected\"]\n", &["three"]),
        ("", "    owner_project_ids = [\"own2\"]\n", &[]),
        ("  limit = 1\n", "    statuses = [\"rejected\", \"pending\"]\n", &[""]),
        ("  include_resource = true\n", pending, &["one", "two"]),
    ] {
        world.project.write_file("inbox.tfquery.hcl", &list(arguments, config));
        let listed = world.project.run(&["query", "-no-color"]).await.expect_success();
        let lines: Vec<_> = listed
            .stdout
            .lines()
            .filter(|line| line.starts_with("list.imageshare_acceptance.inbox"))
            .collect();
        assert_eq!(lines.len(), names.len(), "{listed:?}");
        for name in names {
            assert!(lines.iter().any(|line| line.contains(name)), "{name} in {listed:?}");
        }
    }
    world.project.run(&["query", "-no-color", "-generate-config-out=found.tf"]).await.expect_success();
    world
        .project
        .run(&["plan", "-no-color"])
        .await
        .expect_success()
        .expect_output(&["2 to import, 0 to add, 2 to change, 0 to destroy"]);
    world.project.apply().await;
    assert_eq!(world.members(&images[0]).await, ["mem1 accepted"]);
    assert_eq!(world.members(&images[1]).await, ["mem1 accepted"]);
    world.project.expect_no_changes().await;
}
