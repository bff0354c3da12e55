//! `ETag` and `If-Match` of an image.

use imageshare::domain::Role;
use imageshare_tests::api::{ApiRequest, ApiResponse};
use serde_json::json;

use super::World;

async fn send(world: &World, project: &str, method: &str, image: &str, if_match: &str) -> ApiResponse {
    let request = ApiRequest::new(method, format!("/v2/images/{image}")).header("If-Match", if_match);
    let request = match method {
        "PATCH" => request.typed_body(
            "application/openstack-images-v2.1-json-patch",
            json!([{"op": "replace", "path": "/name", "value": "changed"}]).to_string(),
        ),
        _ => request,
    };
    world.send(project, Role::Member, request).await
}

async fn entity_tag(world: &World, image: &str) -> String {
    let shown = world.request("own1", "GET", &format!("/v2/images/{image}")).await;
    shown.headers["etag"].clone()
}

#[tokio::test]
async fn stale_entity_tag_is_refused() {
    let world = World::start(&[]).await;
    let image = world.create_image("own1", &json!({"name": "a"})).await;
    let first = entity_tag(&world, &image).await;
    let changed = send(&world, "own1", "PATCH", &image, &first).await;
    changed.expect_status(200);
    let second = entity_tag(&world, &image).await;
    assert_eq!((&changed.headers["etag"], first == second), (&second, false));

    let before = world.api.dump_when_idle().await;
    for method in ["GET", "PATCH", "DELETE"] {
        for stale in [first.as_str(), &format!("W/{second}"), "\"other\""] {
            send(&world, "own1", method, &image, stale).await.expect_error(412, "IMG.0046");
        }
        send(&world, "own1", method, &image, "unquoted").await.expect_error(400, "IMG.0001");
        // Who cannot see the image learns nothing by its tag.
        send(&world, "str1", method, &image, &first).await.expect_error(404, "IMG.0027");
    }
    assert_eq!(world.api.dump(), before);

    world.request("own1", "PUT", &format!("/v2/images/{image}/tags/t")).await.expect_status(204);
    send(&world, "own1", "DELETE", &image, &second).await.expect_error(412, "IMG.0046");
    for current in ["*", &format!("{first}, {}", entity_tag(&world, &image).await)] {
        send(&world, "own1", "GET", &image, current).await.expect_status(200);
    }
    let current = entity_tag(&world, &image).await;
    send(&world, "own1", "DELETE", &image, &current).await.expect_status(204);
    send(&world, "own1", "DELETE", &image, &current).await.expect_error(404, "IMG.0027");
}

#[tokio::test]
async fn one_of_concurrent_changes_with_one_entity_tag_succeeds() {
    let world = World::start(&[]).await;
    let image = world.create_image("own1", &json!({"name": "a"})).await;
    let tag = entity_tag(&world, &image).await;
    let sent =
        ["PATCH", "DELETE", "PATCH", "DELETE"].map(|method| send(&world, "own1", method, &image, &tag));
    let responses = futures_util::future::join_all(sent).await;
    let succeeded = responses.iter().filter(|response| response.status < 300).count();
    assert_eq!(succeeded, 1, "{responses:?}");
    assert!(
        responses.iter().all(|response| matches!(response.status, 200 | 204 | 404 | 412)),
        "{responses:?}"
    );
}
