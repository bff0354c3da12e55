//! Adding and removing single tags as in Glance 33: statuses, the order of the checks, and permissions.

use futures_util::future::join_all;
use imageshare::domain::Role;
use imageshare_tests::api::{ApiRequest, ApiResponse};
use serde_json::{Value, json};

use super::World;

/// The path of a tag of an image, percent-encoded.
fn tag_path(image: &str, tag: &str) -> String {
    format!("/v2/images/{image}/tags/{tag}")
}

impl World {
    async fn add_tag(&self, image: &str, tag: &str) -> ApiResponse {
        self.request("own1", "PUT", &tag_path(image, tag)).await
    }

    async fn remove_tag(&self, image: &str, tag: &str) -> ApiResponse {
        self.request("own1", "DELETE", &tag_path(image, tag)).await
    }

    async fn tags(&self, image: &str) -> Value {
        self.request("own1", "GET", &format!("/v2/images/{image}")).await.body["tags"].clone()
    }
}

#[tokio::test]
async fn tag_is_added_once_and_removed_once() {
    let world = World::start(&[]).await;
    let image =
        world.create_image("own1", &json!({"name": "web", "tags": ["sniff"], "own": "property"})).await;
    let before = world.request("own1", "GET", &format!("/v2/images/{image}")).await.body;
    let added = world.add_tag(&image, "snozz").await;
    added.expect_status(204);
    assert_eq!(added.body, Value::Null);
    assert_eq!(world.tags(&image).await, json!(["sniff", "snozz"]));
    assert_eq!(world.image_names("own1", "tag=sniff&tag=snozz").await, "web");

    let stored = world.api.dump_when_idle().await;
    world.add_tag(&image, "snozz").await.expect_status(204);
    assert_eq!(world.api.dump(), stored, "what is there is not written again");

    let removed = world.remove_tag(&image, "snozz").await;
    removed.expect_status(204);
    assert_eq!(removed.body, Value::Null);
    assert_eq!(world.image_names("own1", "tag=snozz").await, "");
    let again = world.remove_tag(&image, "snozz").await;
    again.expect_error(404, "IMG.0121");
    assert_eq!(again.message(), format!("Image {image} has no tag 'snozz'."));
    let mut after = world.request("own1", "GET", &format!("/v2/images/{image}")).await.body;
    after["updated_at"] = before["updated_at"].clone();
    assert_eq!(after, before, "nothing else has changed");
}

#[tokio::test]
async fn tagging_requires_write_access_to_the_image() {
    let world = World::start(&[]).await;
    let image = world.create_image("own1", &json!({"tags": ["old"]})).await;
    world.share("own1", &image, "mem1", "accepted").await;
    let before = world.api.dump_when_idle().await;
    let (not_the_owners, unseen) = ((403, "IMG.0047"), (404, "IMG.0027"));
    for (project, role, (status, code)) in [
        ("own1", Role::Reader, (403, "IMG.0026")),
        ("mem1", Role::Member, not_the_owners),
        ("mem1", Role::Reader, not_the_owners),
        ("str1", Role::Member, unseen),
    ] {
        // Whether or not the image has the tag.
        for (method, tag) in [("PUT", "new"), ("PUT", "old"), ("DELETE", "old"), ("DELETE", "none")] {
            let response = world.send(project, role, ApiRequest::new(method, tag_path(&image, tag))).await;
            response.expect_error(status, code);
        }
    }
    assert_eq!(world.api.dump(), before);
    for (method, tag) in [("PUT", "new"), ("DELETE", "old")] {
        let response = world.send("adm1", Role::Admin, ApiRequest::new(method, tag_path(&image, tag))).await;
        response.expect_status(204);
    }
    assert_eq!(world.tags(&image).await, json!(["new"]));
    for unknown in ["7f1b5c0e-0d4a-4a53-9c3e-1f8b7c6d5e4f", "not-a-uuid", "a%23b"] {
        for method in ["PUT", "DELETE"] {
            world.request("own1", method, &tag_path(unknown, "old")).await.expect_status(404);
        }
    }
}

#[tokio::test]
async fn tag_accepts_almost_any_text() {
    let world = World::start(&[]).await;
    let image = world.create_image("own1", &json!({})).await;
    let (longest, widest) = ("x".repeat(255), "%F0%9F%90%99".repeat(255));
    for (encoded, tag) in [
        ("golden", "golden"),
        ("a%20b", "a b"),
        ("a+b", "a+b"),
        ("a%2Fb", "a/b"),
        ("gabe%40example.com", "gabe@example.com"),
        ("%C3%BC", "ü"),
        ("100%25", "100%"),
        ("%2520", "%20"),
        ("%23;%3F", "#;?"),
        ("..", ".."),
        (&longest, &longest),
        (&widest, "🐙".repeat(255).as_str()),
    ] {
        world.add_tag(&image, encoded).await.expect_status(204);
        assert_eq!(world.tags(&image).await, json!([tag]));
        world.remove_tag(&image, encoded).await.expect_status(204);
        assert_eq!(world.tags(&image).await, json!([]));
    }
}

#[tokio::test]
async fn invalid_tag_is_rejected_before_the_image_lookup() {
    let world = World::start(&[]).await;
    let image = world.create_image("own1", &json!({})).await;
    let before = world.api.dump_when_idle().await;
    let (long, wide) = ("x".repeat(256), "%C3%A9".repeat(256));
    for bad in ["%00", "a%00b", "%0A", "%7F", "%FF", "%ED%A0%80", &long, &wide] {
        for (project, image) in [("own1", image.as_str()), ("str1", &image), ("own1", "none")] {
            let refused = world.request(project, "PUT", &tag_path(image, bad)).await;
            refused.expect_error(400, "IMG.0001");
            assert!(refused.message().starts_with("tag: expected 1 to 255 characters"), "{refused:?}");
        }
        world.remove_tag(&image, bad).await.expect_status(404);
    }
    for method in ["PUT", "DELETE"] {
        // An empty path segment.
        world.request("own1", method, &tag_path(&image, "")).await.expect_status(404);
    }
    assert_eq!(world.api.dump(), before);
}

#[tokio::test]
async fn tag_limits_are_enforced() {
    let world = World::start(&[]).await;
    let tags: Vec<_> = (0..128).map(|number| number.to_string()).collect();
    let full = world.create_image("own1", &json!({"tags": tags})).await;
    // 32 tags of 510 bytes leave 64 bytes of 16 KiB.
    let heavy: Vec<_> = (10..42).map(|number| format!("{number}{}", "é".repeat(253))).collect();
    let heavy = world.create_image("own1", &json!({"tags": heavy})).await;
    let before = world.api.dump_when_idle().await;
    let refused = world.add_tag(&full, "more").await;
    refused.expect_error(413, "IMG.0088");
    let expected = format!("Image tag limit exceeded for image {full}: ");
    assert!(refused.message().starts_with(&expected) && refused.message().contains("Attempted: 129"));
    // A tag that exists already.
    world.add_tag(&full, "127").await.expect_status(204);
    let refused = world.add_tag(&heavy, &"x".repeat(200)).await;
    refused.expect_error(400, "IMG.0001");
    assert!(refused.message().contains("16 KiB"), "{refused:?}");
    assert_eq!(world.api.dump(), before);
    world.remove_tag(&full, "0").await.expect_status(204);
    world.add_tag(&full, "more").await.expect_status(204);
}

#[tokio::test]
async fn concurrent_tag_changes_are_not_lost() {
    let world = World::start(&[]).await;
    let image = world.create_image("own1", &json!({"tags": ["old"]})).await;
    let patch = async {
        let rename = json!([{"op": "replace", "path": "/name", "value": "web"}]);
        let request = ApiRequest::new("PATCH", format!("/v2/images/{image}")).json(&rename);
        while world.send("own1", Role::Member, request.clone()).await.status != 200 {}
    };
    let untag = async { while world.remove_tag(&image, "old").await.status != 204 {} };
    let add = async |number: u32| {
        loop {
            match world.add_tag(&image, &number.to_string()).await.status {
                204 => break,
                // Other requests have changed it ten times in between.
                status => assert_eq!(status, 409),
            }
        }
    };
    tokio::join!(patch, untag, join_all((10..34).map(add)));
    let image = world.request("own1", "GET", &format!("/v2/images/{image}")).await.body;
    let all: Vec<_> = (10..34).map(|number| number.to_string()).collect();
    assert_eq!((&image["name"], &image["tags"]), (&json!("web"), &json!(all)));
}

#[tokio::test]
async fn tag_routes_exist_in_minor_versions_and_list_their_methods() {
    let world = World::start(&[]).await;
    let image = world.create_image("own1", &json!({})).await;
    for version in ["/v2", "/v2.9"] {
        let tag = tag_path(&image, "a%20b").replacen("/v2", version, 1);
        let other = world.request("own1", "GET", &tag).await;
        other.expect_status(405);
        assert_eq!(other.headers["allow"], "DELETE, PUT");
        world.request("own1", "PUT", &tag).await.expect_status(204);
        assert_eq!(world.tags(&image).await, json!(["a b"]));
        world.request("own1", "DELETE", &tag).await.expect_status(204);
    }
}
