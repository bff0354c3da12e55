//! Calls that create something, sent again under their `Idempotency-Key`.

use imageshare::domain::Role;
use imageshare_tests::api::{Answer, Ask};
use serde_json::{Value, json};

use super::World;

const IMAGES: &str = "/v2/images";
const KEYS: &str = "/v1/access-keys";

async fn create(world: &World, project: &str, path: &str, (key, body): (&str, &Value)) -> Answer {
    let ask = Ask::new("POST", path).header("Idempotency-Key", key).json(body);
    world.send(project, Role::Member, ask).await
}

#[tokio::test]
async fn image_is_registered_once_per_key() {
    let world = World::start(&[]).await;
    let said = json!({"name": "web", "tags": ["a"]});
    let made = create(&world, "own1", IMAGES, ("k", &said)).await;
    assert_eq!(made.status, 201);
    let again = create(&world, "own1", IMAGES, ("k", &said)).await;
    assert_eq!((again.status, &again.body), (201, &made.body));
    assert_eq!(again.headers["location"], made.headers["location"]);
    assert_eq!(world.names("own1", "").await, "web");

    let other = create(&world, "own1", IMAGES, ("k", &json!({"name": "db"}))).await;
    assert_eq!((other.status, other.code()), (422, "IMG.0018"));
    assert_ne!(create(&world, "str1", IMAGES, ("k", &said)).await.body["id"], made.body["id"], "its own key");
    let target = format!("{IMAGES}/{}", made.body["id"].as_str().unwrap());
    assert_eq!(world.ask("own1", "DELETE", &target).await.status, 204);
    assert_eq!(create(&world, "own1", IMAGES, ("k", &said)).await.status, 404, "it is not made again");
}

#[tokio::test]
async fn member_is_added_once_per_key_and_shown_as_it_stands() {
    let world = World::start(&[]).await;
    let image = world.image("own1", &json!({})).await;
    let members = format!("{IMAGES}/{image}/members");
    let said = json!({"member": "mem1"});
    assert_eq!(create(&world, "own1", &members, ("k", &said)).await.status, 200);
    assert_eq!(world.answer("mem1", &image, "accepted").await.status, 200);
    let again = create(&world, "own1", &members, ("k", &said)).await;
    assert_eq!((again.status, &again.body["status"]), (200, &json!("accepted")));
    let other = create(&world, "own1", &members, ("k", &json!({"member": "mem2"}))).await;
    assert_eq!((other.status, other.code()), (422, "IMG.0018"));
    assert_eq!(create(&world, "own1", IMAGES, ("k", &json!({}))).await.status, 422, "whatever the call");
    assert_eq!(create(&world, "str1", &members, ("k", &said)).await.status, 404);
    assert_eq!(world.remove("own1", &image, "mem1").await.status, 204);
    assert_eq!(create(&world, "own1", &members, ("k", &said)).await.status, 404, "it is not added again");
    assert_eq!(world.members("own1", &image).await, "");
}

#[tokio::test]
async fn access_key_is_created_once_and_its_secret_told_again() {
    let world = World::start(&[]).await;
    let said = json!({"name": "ci"});
    let made = create(&world, "own1", KEYS, ("k", &said)).await;
    assert_eq!(made.status, 201, "{made:?}");
    let again = create(&world, "own1", KEYS, ("k", &said)).await;
    assert_eq!((again.status, &again.body), (201, &made.body));
    let listed = world.ask("own1", "GET", KEYS).await;
    assert_eq!(listed.body["access_keys"].as_array().map(Vec::len), Some(1), "{listed:?}");
    let other = create(&world, "own1", KEYS, ("k", &json!({"name": "other"}))).await;
    assert_eq!((other.status, other.code()), (422, "IMG.0018"));
    assert_ne!(create(&world, "str1", KEYS, ("k", &said)).await.body["id"], made.body["id"]);
}

#[tokio::test]
async fn simultaneous_retries_create_one_thing() {
    let world = World::start(&[]).await;
    let image = world.image("own1", &json!({"name": "shared"})).await;
    let members = format!("{IMAGES}/{image}/members");
    let (named, member, key) = (json!({"name": "web"}), json!({"member": "mem1"}), json!({"name": "ci"}));
    for (path, said, id) in [(IMAGES, &named, "id"), (&members, &member, "member_id"), (KEYS, &key, "id")] {
        let sent = (0..8).map(|_| create(&world, "own1", path, (path, said)));
        let answers = futures_util::future::join_all(sent).await;
        for answer in &answers {
            assert!(answer.status < 300, "{answer:?}");
            assert_eq!(answer.body[id], answers[0].body[id]);
        }
    }
    assert_eq!(world.names("own1", "").await, "web shared");
}

#[tokio::test]
async fn empty_idempotency_key_is_refused_wherever_one_counts() {
    let world = World::start(&[]).await;
    let image = world.image("own1", &json!({})).await;
    let before = world.api.dump_at_rest().await;
    let batch = json!({"images": [image], "projects": ["mem1"]});
    for (method, path, body) in [
        ("POST", IMAGES.to_owned(), json!({})),
        ("POST", format!("{IMAGES}/{image}/members"), json!({"member": "mem1"})),
        ("POST", KEYS.to_owned(), json!({"name": "ci"})),
        ("POST", "/v1/cloudimages/members".to_owned(), batch.clone()),
        ("DELETE", "/v1/cloudimages/members".to_owned(), batch),
        (
            "PUT",
            "/v1/cloudimages/members".to_owned(),
            json!({"images": [image], "project_id": "own1", "status": "accepted"}),
        ),
    ] {
        let ask = Ask::new(method, &path).header("Idempotency-Key", "").json(&body);
        let refused = world.send("own1", Role::Member, ask).await;
        assert_eq!((refused.status, refused.code()), (400, "IMG.0001"), "{method} {path}");
        assert!(refused.message().starts_with("Idempotency-Key: expected"), "{refused:?}");
    }
    assert_eq!(world.api.dump(), before);
}

#[tokio::test]
async fn batch_call_refuses_a_member_that_it_does_not_know() {
    let world = World::start(&[]).await;
    let image = world.image("own1", &json!({})).await;
    let before = world.api.dump_at_rest().await;
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
        let refused = world.say(project, method, "/v1/cloudimages/members", &body).await;
        assert_eq!((refused.status, refused.code()), (400, "IMG.0001"), "{refused:?}");
        assert!(refused.message().contains("unknown field `"), "{refused:?}");
    }
    assert_eq!(world.api.dump(), before);
}
