//! The image registry through the function `images`: create, show, patch, delete, and permissions.

use imageshare_tests::deployment::Deployment;
use imageshare_tests::events::HttpEvent;
use imageshare_tests::in_process::{ApiResponse, Functions};
use serde_json::{Value, json};

const SHOW: &str = "GET /v2/images/{image_id}";
const PATCH: &str = "PATCH /v2/images/{image_id}";
const DELETE: &str = "DELETE /v2/images/{image_id}";

fn image_path(image: &str) -> String {
    format!("/v2/images/{image}")
}

async fn patch_as(
    functions: &Functions,
    project: &str,
    role: &str,
    image: &str,
    patch: &Value,
) -> ApiResponse {
    let event = HttpEvent::new(PATCH, &image_path(image))
        .token(&Deployment::token(project, role))
        .header("content-type", "application/openstack-images-v2.1-json-patch")
        .text(&patch.to_string());
    functions.send(&event).await
}

async fn create_as(functions: &Functions, project: &str, role: &str, details: &Value) -> ApiResponse {
    let event = HttpEvent::new("POST /v2/images", "/v2/images")
        .token(&Deployment::token(project, role))
        .json(details);
    functions.send(&event).await
}

#[tokio::test]
async fn image_is_created_shown_updated_and_deleted() {
    let functions = Functions::start();
    let id = "e04a6e73-bd92-485d-b422-1b29db8cf543";
    let details = json!({"id": id, "name": "web", "disk_format": "qcow2", "container_format": "bare",
        "min_disk": 40, "tags": ["t"], "__os_type": "Linux"});
    let created = create_as(&functions, "own", "member", &details).await;
    created.expect_status(201);
    assert_eq!(created.headers["location"].as_str(), image_path(id).as_str());
    assert_eq!((&created.body["status"], &created.body["visibility"]), (&"active".into(), &"shared".into()));
    assert_eq!((&created.body["owner"], &created.body["__os_type"]), (&"own".into(), &"Linux".into()));
    assert_eq!(functions.send_without_body("own", SHOW, &image_path(id)).await.body, created.body);

    let patch =
        json!([{"op": "replace", "path": "/name", "value": "db"}, {"op": "remove", "path": "/__os_type"}]);
    let patched = patch_as(&functions, "own", "member", id, &patch).await;
    patched.expect_status(200);
    assert_eq!(patched.body["name"], "db");
    assert_eq!(patched.body.get("__os_type"), None);
    assert_eq!(functions.send_without_body("own", SHOW, &image_path(id)).await.body, patched.body);

    let deleted = functions.send_without_body("own", DELETE, &image_path(id)).await;
    deleted.expect_status(204);
    assert_eq!(deleted.body, Value::Null);
    functions.send_without_body("own", SHOW, &image_path(id)).await.expect_status(404);
    functions.send_without_body("own", DELETE, &image_path(id)).await.expect_status(404);
    create_as(&functions, "own", "member", &details).await.expect_status(409);
}

#[tokio::test]
async fn failed_patch_changes_nothing() {
    let functions = Functions::start();
    let id = functions.create_image("own", &json!({"name": "web"})).await;
    let before = functions.send_without_body("own", SHOW, &image_path(&id)).await.body;
    let rename = json!({"op": "replace", "path": "/name", "value": "db"});
    for (second, status) in [
        (json!({"op": "remove", "path": "/none"}), 409),
        (json!({"op": "replace", "path": "/status", "value": "x"}), 403),
        (json!({"op": "replace", "path": "/min_disk", "value": "x"}), 400),
        (json!({"op": "replace", "path": "/visibility", "value": "public"}), 403),
        (json!({"op": "add", "path": "/__whole_image", "value": "perhaps"}), 400),
    ] {
        let response = patch_as(&functions, "own", "member", &id, &json!([rename, second])).await;
        response.expect_status(status);
        assert!(response.body["error"]["title"].is_string(), "{response:?}");
    }
    assert_eq!(functions.send_without_body("own", SHOW, &image_path(&id)).await.body, before);
}

#[tokio::test]
async fn stranger_gets_404_and_recipient_may_only_read() {
    let functions = Functions::start();
    let id = functions.create_image("own", &json!({})).await;
    functions.share("own", &[&id], &["friend"]).await;
    let rename = json!([{"op": "replace", "path": "/name", "value": "mine"}]);
    for (project, shown, changed) in [("stranger", 404, 404), ("friend", 200, 403), ("own", 200, 200)] {
        functions.send_without_body(project, SHOW, &image_path(&id)).await.expect_status(shown);
        patch_as(&functions, project, "member", &id, &rename).await.expect_status(changed);
    }
    functions.send_without_body("friend", DELETE, &image_path(&id)).await.expect_status(403);
    functions.send_without_body("stranger", DELETE, &image_path(&id)).await.expect_status(404);
    let unknown =
        functions.send_without_body("stranger", SHOW, &image_path("no-such")).await.body.to_string();
    let hidden = functions.send_without_body("stranger", SHOW, &image_path(&id)).await.body.to_string();
    assert_eq!(unknown.replace("no-such", "X"), hidden.replace(&id, "X"));
    for odd in
        ["a%23b", "a%20b", "%C3%A9", "%00", "%0A", "%25", "%3Fx", "%22%7B%7C%5E", "..", &"x".repeat(65)]
    {
        functions.send_without_body("own", SHOW, &image_path(odd)).await.expect_status(404);
    }
}

#[tokio::test]
async fn roles_limit_image_operations() {
    let functions = Functions::start();
    let id = functions.create_image("own", &json!({})).await;
    let rename = json!([{"op": "replace", "path": "/name", "value": "n"}]);
    create_as(&functions, "own", "reader", &json!({})).await.expect_status(403);
    patch_as(&functions, "own", "reader", &id, &rename).await.expect_status(403);
    create_as(&functions, "own", "member", &json!({"owner": "other"})).await.expect_status(403);
    create_as(&functions, "own", "member", &json!({"visibility": "public"})).await.expect_status(403);
    let created =
        create_as(&functions, "op", "admin", &json!({"owner": "other", "visibility": "public"})).await;
    created.expect_status(201);
    assert_eq!(created.body["owner"], "other");
    patch_as(&functions, "op", "admin", &id, &rename).await.expect_status(200);
    functions.send(&HttpEvent::new(SHOW, &image_path(&id))).await.expect_error(401, "IMG.0087");
}

#[tokio::test]
async fn request_is_validated_before_the_image_lookup() {
    let functions = Functions::start();
    for route in [SHOW, DELETE] {
        let with_body = functions.send_json("own", route, &image_path("none"), &json!({})).await;
        with_body.expect_message(400, "A body is not expected with this request.");
    }
    functions.send_json("own", PATCH, &image_path("none"), &json!([])).await.expect_status(415);
    patch_as(&functions, "own", "member", "none", &json!({})).await.expect_status(400);
    patch_as(&functions, "own", "member", "none", &json!([])).await.expect_status(404);
    functions.send_without_body("own", "POST /v2/images", "/v2/images").await.expect_error(400, "IMG.0001");
}

#[tokio::test]
async fn protected_image_cannot_be_deleted() {
    let functions = Functions::start();
    let id = functions.create_image("own", &json!({"protected": true})).await;
    functions.send_without_body("own", DELETE, &image_path(&id)).await.expect_status(403);
    let free = json!([{"op": "replace", "path": "/protected", "value": false}]);
    patch_as(&functions, "own", "member", &id, &free).await.expect_status(200);
    functions.send_without_body("own", DELETE, &image_path(&id)).await.expect_status(204);
}

#[tokio::test]
async fn unsupported_method_returns_405_with_allow() {
    let functions = Functions::start();
    let response = functions.send_without_body("own", "ANY /v2/images/{image_id}", "/v2/images/x").await;
    response.expect_status(405);
    assert_eq!(response.headers["allow"], "DELETE, GET, HEAD, PATCH");
    functions.send_without_body("own", "$default /", "/v2/flavors").await.expect_status(404);
}
