//! Calls that create something, repeated with their `Idempotency-Key`.

use imageshare::domain::Role;
use imageshare_tests::api::{ApiRequest, ApiResponse};
use serde_json::{Value, json};

use super::World;

const IMAGES: &str = "/v2/images";
const ACCESS_KEYS: &str = "/v1/access-keys";

async fn create_with_key(
    world: &World,
    project: &str,
    path: &str,
    (key, body): (&str, &Value),
) -> ApiResponse {
    let request = ApiRequest::new("POST", path).header("Idempotency-Key", key).json(body);
    world.send(project, Role::Member, request).await
}

#[tokio::test]
async fn image_is_registered_once_per_idempotency_key() {
    let world = World::start(&[]).await;
    let body = json!({"name": "web", "tags": ["a"]});
    let created = create_with_key(&world, "own1", IMAGES, ("k", &body)).await;
    created.expect_status(201);
    let again = create_with_key(&world, "own1", IMAGES, ("k", &body)).await;
    again.expect_status(201);
    assert_eq!(again.body, created.body);
    assert_eq!(again.headers["location"], created.headers["location"]);
    assert_eq!(world.image_names("own1", "").await, "web");

    let other = create_with_key(&world, "own1", IMAGES, ("k", &json!({"name": "db"}))).await;
    other.expect_error(422, "IMG.0018");
    assert_ne!(
        create_with_key(&world, "str1", IMAGES, ("k", &body)).await.body["id"],
        created.body["id"],
        "its own key"
    );
    let target = format!("{IMAGES}/{}", created.body["id"].as_str().unwrap());
    world.request("own1", "DELETE", &target).await.expect_status(204);
    create_with_key(&world, "own1", IMAGES, ("k", &body)).await.expect_status(404);
}

#[tokio::test]
async fn member_is_added_once_per_idempotency_key() {
    let world = World::start(&[]).await;
    let image = world.create_image("own1", &json!({})).await;
    let members = format!("{IMAGES}/{image}/members");
    let body = json!({"member": "mem1"});
    create_with_key(&world, "own1", &members, ("k", &body)).await.expect_status(200);
    world.decide("mem1", &image, "accepted").await.expect_status(200);
    let again = create_with_key(&world, "own1", &members, ("k", &body)).await;
    again.expect_status(200);
    assert_eq!(again.body["status"], "accepted");
    let other = create_with_key(&world, "own1", &members, ("k", &json!({"member": "mem2"}))).await;
    other.expect_error(422, "IMG.0018");
    // For every call.
    create_with_key(&world, "own1", IMAGES, ("k", &json!({}))).await.expect_status(422);
    create_with_key(&world, "str1", &members, ("k", &body)).await.expect_status(404);
    world.remove("own1", &image, "mem1").await.expect_status(204);
    create_with_key(&world, "own1", &members, ("k", &body)).await.expect_status(404);
    assert_eq!(world.members("own1", &image).await, "");
}

#[tokio::test]
async fn access_key_retry_returns_the_same_secret() {
    let world = World::start(&[]).await;
    let body = json!({"name": "ci"});
    let created = create_with_key(&world, "own1", ACCESS_KEYS, ("k", &body)).await;
    created.expect_status(201);
    let again = create_with_key(&world, "own1", ACCESS_KEYS, ("k", &body)).await;
    again.expect_status(201);
    assert_eq!(again.body, created.body);
    let listed = world.request("own1", "GET", ACCESS_KEYS).await;
    assert_eq!(listed.body["access_keys"].as_array().map(Vec::len), Some(1), "{listed:?}");
    let other = create_with_key(&world, "own1", ACCESS_KEYS, ("k", &json!({"name": "other"}))).await;
    other.expect_error(422, "IMG.0018");
    assert_ne!(
        create_with_key(&world, "str1", ACCESS_KEYS, ("k", &body)).await.body["id"],
        created.body["id"]
    );
}

#[tokio::test]
async fn concurrent_retries_create_one_resource() {
    let world = World::start(&[]).await;
    let image = world.create_image("own1", &json!({"name": "shared"})).await;
    let members = format!("{IMAGES}/{image}/members");
    let (named, member, key) = (json!({"name": "web"}), json!({"member": "mem1"}), json!({"name": "ci"}));
    for (path, body, id) in
        [(IMAGES, &named, "id"), (&members, &member, "member_id"), (ACCESS_KEYS, &key, "id")]
    {
        let sent = (0..8).map(|_| create_with_key(&world, "own1", path, (path, body)));
        let responses = futures_util::future::join_all(sent).await;
        for response in &responses {
            assert!(response.status < 300, "{response:?}");
            assert_eq!(response.body[id], responses[0].body[id]);
        }
    }
    assert_eq!(world.image_names("own1", "").await, "web shared");
}

#[tokio::test]
async fn empty_idempotency_key_is_rejected() {
    let world = World::start(&[]).await;
    let image = world.create_image("own1", &json!({})).await;
    let before = world.api.dump_when_idle().await;
    let batch = json!({"images": [image], "projects": ["mem1"]});
    for (method, path, body) in [
        ("POST", IMAGES.to_owned(), json!({})),
        ("POST", format!("{IMAGES}/{image}/members"), json!({"member": "mem1"})),
        ("POST", ACCESS_KEYS.to_owned(), json!({"name": "ci"})),
        ("POST", "/v1/cloudimages/members".to_owned(), batch.clone()),
        ("DELETE", "/v1/cloudimages/members".to_owned(), batch),
        (
            "PUT",
            "/v1/cloudimages/members".to_owned(),
            json!({"images": [image], "project_id": "own1", "status": "accepted"}),
        ),
    ] {
        let request = ApiRequest::new(method, &path).header("Idempotency-Key", "").json(&body);
        let refused = world.send("own1", Role::Member, request).await;
        refused.expect_error(400, "IMG.0001");
        assert!(refused.message().starts_with("Idempotency-Key: expected"), "{refused:?}");
    }
    assert_eq!(world.api.dump(), before);
}

#[tokio::test]
async fn batch_request_rejects_unknown_fields() {
    let world = World::start(&[]).await;
    let image = world.create_image("own1", &json!({})).await;
    let before = world.api.dump_when_idle().await;
    for (method, project, body) in [
        (
            "POST",
            "own1",
            json!({"images": [image], "projects": ["mem1"], "expires_at": "2026-12-01T00:00:00Z"}),
        ),
        ("DELETE", "own1", json!({"images": [image], "projects": ["mem1"], "expires_at": null})),
        (
            "PUT",
            "mem1",
            json!({"images": ["*"], "owner": "own1", "project_id": "mem1", "status": "accepted"}),
        ),
    ] {
        let refused = world.request_with_body(project, method, "/v1/cloudimages/members", &body).await;
        refused.expect_error(400, "IMG.0001");
        assert!(refused.message().contains("unknown field `"), "{refused:?}");
    }
    assert_eq!(world.api.dump(), before);
}
