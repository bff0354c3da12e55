//! The properties that an image may have, and those that may no longer change.

use imageshare::domain::Role;
use imageshare_tests::api::{ApiRequest, ApiResponse};
use serde_json::{Value, json};

use super::World;

async fn patch_image(world: &World, image: &str, patch: &Value) -> ApiResponse {
    world
        .send("own1", Role::Member, ApiRequest::new("PATCH", format!("/v2/images/{image}")).json(patch))
        .await
}

fn replace_patch(name: &str, value: &Value) -> Value {
    json!([{"op": "replace", "path": format!("/{name}"), "value": value}])
}

#[tokio::test]
async fn active_image_formats_cannot_be_replaced() {
    let world = World::start(&[]).await;
    let details = json!({"name": "web", "disk_format": "raw", "container_format": "bare"});
    let image = world.create_image("own1", &details).await;
    for visibility in ["shared", "private", "public"] {
        world.set_visibility("own1", &image, visibility).await;
        for (name, value) in [
            ("disk_format", json!("qcow2")),
            ("container_format", json!("ovf")),
            ("disk_format", json!(null)),
        ] {
            let refused = patch_image(&world, &image, &replace_patch(name, &value)).await;
            refused.expect_error(403, "IMG.0105");
            let text = format!("Attribute {name} can be only replaced for a queued image");
            assert!(refused.message().contains(&text), "{refused:?}");
        }
        // The same value.
        patch_image(&world, &image, &replace_patch("disk_format", &json!("raw"))).await.expect_status(200);
    }
}

#[tokio::test]
async fn missing_format_can_be_set_until_the_image_is_shared() {
    let world = World::start(&[]).await;
    let image = world.create_image("own1", &json!({"name": "web"})).await;
    let patched = patch_image(&world, &image, &replace_patch("disk_format", &json!("raw"))).await;
    patched.expect_status(200);
    assert_eq!(patched.body["disk_format"], "raw");
    world.share("own1", &image, "mem1", "accepted").await;
    let refused = patch_image(&world, &image, &replace_patch("container_format", &json!("bare"))).await;
    // A recipient has consented to the image as it is.
    refused.expect_status(409);
    assert!(refused.message().contains("Unshare it first"), "{refused:?}");
    world.remove("own1", &image, "mem1").await.expect_status(204);
    patch_image(&world, &image, &replace_patch("container_format", &json!("bare"))).await.expect_status(200);
}

#[tokio::test]
async fn property_that_breaks_client_tools_is_rejected() {
    let world = World::start(&[]).await;
    let image = world.create_image("own1", &json!({"name": "web"})).await;
    let before = world.api.dump_when_idle().await;
    for name in
        ["properties", "Properties", "metadata", "owner_id", "connection", "Tags", "os_glance_x", "Deleted"]
    {
        let created = world.request_with_body("own1", "POST", "/v2/images", &json!({name: "x"})).await;
        let add = json!([{"op": "add", "path": format!("/{name}"), "value": "x"}]);
        for refused in [created, patch_image(&world, &image, &add).await] {
            refused.expect_error(403, "IMG.0105");
            assert!(refused.message().contains(&format!("'{name}' is reserved")), "{refused:?}");
        }
    }
    for (name, value) in [
        ("hw_cpu_cores", "four"),
        ("hw_boot_menu", "x"),
        ("__system_support_market", "x"),
        ("kernel_id", "x"),
    ] {
        let created = world.request_with_body("own1", "POST", "/v2/images", &json!({name: value})).await;
        for refused in [
            created,
            patch_image(&world, &image, &json!([{"op": "add", "path": format!("/{name}"), "value": value}]))
                .await,
        ] {
            refused.expect_status(400);
            assert!(refused.message().starts_with(&format!("{name}: expected")), "{refused:?}");
        }
    }
    assert_eq!(world.api.dump(), before);
    let remove = json!([{"op": "remove", "path": "/properties"}]);
    // The image has no such property, but it could be removed.
    patch_image(&world, &image, &remove).await.expect_status(409);
}

#[tokio::test]
async fn volume_encryption_key_needs_a_grant() {
    let world = World::start(&[]).await;
    for name in ["cinder_encryption_key_id", "os_encrypt_key_id", "hw_ephemeral_encryption_secret_uuid"] {
        let image = world.create_image("own1", &json!({name: "k-1"})).await;
        world.add("own1", &image, "mem1").await.expect_error(403, "IMG.0099");
    }
    let two = json!({"cinder_encryption_key_id": "k-1", "__system__cmkid": "k-2"});
    world.request_with_body("own1", "POST", "/v2/images", &two).await.expect_status(400);
    world.request("own1", "PUT", "/v1/keys/k-1/grants/mem1").await.expect_status(200);
    let image = world.create_image("own1", &json!({"cinder_encryption_key_id": "k-1"})).await;
    world.add("own1", &image, "mem1").await.expect_status(200);
}
