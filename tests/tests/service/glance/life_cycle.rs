//! Memberships during the life of an image (`contract/glance.md` 2.5, `contract/decisions.md` 19, 24, 25).

use imageshare::domain::{Role, Timestamp};
use imageshare_tests::api::ApiRequest;
use serde_json::json;

use super::World;

#[tokio::test]
async fn new_image_has_shared_visibility() {
    let world = World::start(&[]).await;
    let image = world.create_image("own1", &json!({})).await;
    assert_eq!(
        world.request("own1", "GET", &format!("/v2/images/{image}")).await.body["visibility"],
        "shared"
    );
}

#[tokio::test]
async fn image_data_calls_report_that_data_live_elsewhere() {
    let world = World::start(&[]).await;
    let image = world.create_image("own1", &json!({})).await;
    let path = format!("/v2/images/{image}");
    let before = world.request("own1", "GET", &path).await.body;
    for (method, last, status) in
        [("GET", "file", 404), ("PUT", "file", 409), ("PUT", "stage", 409), ("POST", "import", 409)]
    {
        let request = ApiRequest::new(method, format!("{path}/{last}"));
        let request = match method {
            "GET" => request.header("Accept", "application/json"),
            _ => request.typed_body("application/octet-stream", b"\0bits\xff"),
        };
        let response = world.send("own1", Role::Member, request).await;
        response.expect_error(status, "IMG.0105");
        assert!(response.message().contains("live elsewhere"), "{response:?}");
    }
    // openstacksdk writes the body of any response into the image file, and fails if the checksum differs.
    for accept in ["*/*", "application/octet-stream"] {
        let request = ApiRequest::new("GET", format!("{path}/file")).header("Accept", accept);
        let response = world.send("own1", Role::Member, request).await;
        response.expect_status(404);
        assert_eq!(response.body, serde_json::Value::Null);
        assert!(response.headers["content-md5"].contains("live-elsewhere"), "{response:?}");
    }
    world.share("own1", &image, "mem1", "accepted").await;
    for (project, status) in [("own1", 204), ("mem1", 403), ("str1", 404)] {
        world.request(project, "PUT", &format!("{path}/file")).await.expect_status(status);
    }
    assert_eq!(world.request("own1", "GET", &path).await.body, before);
}

#[tokio::test]
async fn repeated_acceptance_keeps_updated_at() {
    let world = World::start(&[]).await;
    let image = world.create_image("own1", &json!({})).await;
    world.share("own1", &image, "mem1", "accepted").await;
    let member = format!("/v2/images/{image}/members/mem1");
    let first = world.request("own1", "GET", &member).await.body;
    let now = Timestamp::now().unix_seconds();
    while Timestamp::now().unix_seconds() == now {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.decide("mem1", &image, "accepted").await.body, first);
    assert_eq!(world.request("own1", "GET", &member).await.body, first);
    let rejected = world.decide("mem1", &image, "rejected").await.body;
    assert_ne!(rejected["updated_at"], first["updated_at"]);
    assert_eq!(rejected["created_at"], first["created_at"]);
}

#[tokio::test]
async fn image_ids_are_case_insensitive() {
    let world = World::start(&[]).await;
    let id = "0B680482-ACAA-4045-B14C-9A8C7DFE9C70";
    let image = world.create_image("own1", &json!({"id": id, "name": "web"})).await;
    assert_eq!(image, id.to_lowercase());
    world.request_with_body("own1", "POST", "/v2/images", &json!({"id": image})).await.expect_status(409);
    assert_eq!(world.request("own1", "GET", &format!("/v2/images/{id}")).await.body["id"], image);
    assert_eq!(world.image_names("own1", &format!("id={id}")).await, "web");
    world.add("own1", id, "mem1").await.expect_status(200);
    assert_eq!(world.decide("mem1", id, "accepted").await.body["image_id"], image);
    let batch = json!({"images": [id, image], "projects": ["mem1"]});
    let request = ApiRequest::new("DELETE", "/v1/cloudimages/members").json(&batch);
    let token = world.api.token("own1", Role::Member);
    let accepted = world.api.send(&request.token(&token)).await;
    let job = world.api.wait_for_job(&token, "own1", &accepted).await;
    assert_eq!(job["entities"]["results"].as_array().map(Vec::len), Some(1), "{job}");
    assert_eq!(world.members("own1", &image).await, "");
    world.request("MEM1", "GET", &format!("/v2/images/{image}")).await.expect_status(404);
}

#[tokio::test]
async fn readded_member_starts_as_pending() {
    let world = World::start(&[]).await;
    let image = world.create_image("own1", &json!({})).await;
    world.share("own1", &image, "mem1", "accepted").await;
    let member = format!("/v2/images/{image}/members/mem1");
    let first = world.request("own1", "GET", &member).await.body["created_at"].clone();
    world.remove("own1", &image, "mem1").await.expect_status(204);
    let now = Timestamp::now().unix_seconds();
    while Timestamp::now().unix_seconds() == now {
        tokio::task::yield_now().await;
    }
    let again = world.add("own1", &image, "mem1").await;
    assert_eq!(again.body["status"], "pending");
    assert_ne!(again.body["created_at"], first, "a new membership");
    assert_eq!(again.body["created_at"], again.body["updated_at"]);
}

#[tokio::test]
async fn image_shared_again_after_private_keeps_its_members() {
    let world = World::start(&[]).await;
    let image = world.create_image("own1", &json!({"name": "web"})).await;
    world.share("own1", &image, "mem1", "accepted").await;
    world.share("own1", &image, "mem2", "pending").await;
    world.set_visibility("own1", &image, "private").await;
    let members = format!("/v2/images/{image}/members");
    world.request("mem1", "GET", &format!("/v2/images/{image}")).await.expect_status(404);
    world.request("mem1", "GET", &members).await.expect_status(404);
    world.request("own1", "GET", &members).await.expect_status(403);
    world.decide("mem1", &image, "rejected").await.expect_status(404);
    assert_eq!(world.image_names("mem1", "").await, "");
    world.set_visibility("own1", &image, "shared").await;
    assert_eq!(world.members("own1", &image).await, "mem1:accepted mem2:pending");
    assert_eq!(world.image_names("mem1", "").await, "web");
    assert_eq!(world.image_names("mem2", "member_status=pending").await, "web");
}

#[tokio::test]
async fn deleting_an_image_removes_its_members() {
    let world = World::start(&[]).await;
    let image = world.create_image("own1", &json!({"name": "web"})).await;
    world.share("own1", &image, "mem1", "accepted").await;
    world.request("own1", "DELETE", &format!("/v2/images/{image}")).await.expect_status(204);
    for project in ["own1", "mem1"] {
        world.request(project, "GET", &format!("/v2/images/{image}")).await.expect_status(404);
        world.request(project, "GET", &format!("/v2/images/{image}/members")).await.expect_status(404);
        assert_eq!(world.image_names(project, "visibility=all&member_status=all").await, "");
    }
    world.add("own1", &image, "mem2").await.expect_status(404);
    world.remove("own1", &image, "mem1").await.expect_status(404);
}
