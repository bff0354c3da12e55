//! Members: added, listed, shown, decided on and removed, with Glance's statuses and messages.

use imageshare::domain::Role;
use imageshare_tests::api::ApiRequest;
use serde_json::{Value, json};

use super::World;

#[tokio::test]
async fn member_life_cycle_works_as_in_openstacksdk() {
    let world = World::start(&[]).await;
    let image = world.create_image("own1", &json!({"name": "img"})).await;
    let members = format!("/v2/images/{image}/members");
    let member = format!("{members}/mem1");
    let added = world.add("own1", &image, "mem1").await;
    let created = added.body["created_at"].clone();
    let expected = |status: &str, updated: &Value| {
        json!({"member_id": "mem1", "image_id": image, "status": status, "created_at": created,
            "updated_at": updated, "schema": "/v2/schemas/member"})
    };
    added.expect_status(200);
    assert_eq!(added.body, expected("pending", &created));

    let accept = json!({"status": "accepted", "member": "mem1"});
    let accepted = world.request_with_body("mem1", "PUT", &member, &accept).await;
    accepted.expect_status(200);
    assert_eq!(accepted.body, expected("accepted", &accepted.body["updated_at"]));
    world.request_with_body("mem1", "PUT", &member, &accept).await.expect_status(200);
    let listed = world.request("own1", "GET", &format!("{members}?limit=0&marker=x")).await;
    assert_eq!(listed.body["schema"], "/v2/schemas/members");
    assert_eq!(listed.body["members"][0]["status"], "accepted");
    // `find_member` requests the image once more.
    let found = world.request("own1", "GET", &format!("{member}?image_id={image}")).await;
    found.expect_status(200);
    assert_eq!(found.body["status"], "accepted");

    for status in ["rejected", "pending", "accepted"] {
        let body = json!({"status": status, "vault_id": "v-1"});
        assert_eq!(world.request_with_body("mem1", "PUT", &member, &body).await.body["status"], status);
    }
    world.remove("own1", &image, "mem1").await.expect_status(204);
    let gone = world.request("own1", "GET", &member).await;
    let message = format!("mem1 not found in the member list of the image {image}.");
    gone.expect_message(404, message.as_str());
    world.remove("own1", &image, "mem1").await.expect_message(404, message.as_str());
    world.request("mem1", "GET", &format!("/v2/images/{image}")).await.expect_status(404);
}

#[tokio::test]
async fn member_is_added_once_and_within_the_limit() {
    let world = World::start(&["members-per-image=3"]).await;
    let image = world.create_image("own1", &json!({})).await;
    for member in ["a", "b", "c"] {
        world.add("own1", &image, member).await.expect_status(200);
    }
    let twice = world.add("own1", &image, "b").await;
    let message = format!("Member b is duplicated for image {image}: it is shared with b already.");
    // Even if the member limit is reached.
    twice.expect_message(409, message.as_str());
    let full = world.add("own1", &image, "d").await;
    let message = format!(
        "Image member limit exceeded for image {image}: The limit has been exceeded on the number of allowed image members for this image. Attempted: 4, Maximum: 3: Remove a member that does not need it first."
    );
    full.expect_message(413, message.as_str());
    world.remove("own1", &image, "a").await.expect_status(204);
    world.add("own1", &image, "d").await.expect_status(200);
    assert_eq!(world.members("own1", &image).await, "b:pending c:pending d:pending");
    world.add("own1", &image, "own1").await.expect_error(400, "IMG.0076");
}

#[tokio::test]
async fn invalid_member_body_is_rejected_for_any_caller_and_image() {
    let world = World::start(&[]).await;
    let image = world.create_image("own1", &json!({})).await;
    world.share("own1", &image, "mem1", "pending").await;
    let before = world.api.dump_when_idle().await;
    let add = [
        ("", "Body expected in request."),
        ("{", "Malformed JSON in request body."),
        ("{}", "Member to be added not specified"),
        (r#"{"member":""}"#, "Member can't be empty"),
        (r#"{"member":null}"#, "Member can't be empty"),
        (r#"["mem2"]"#, r#"Expected a member in the form: {"member": "image_id"}"#),
        (r#""mem2""#, "Unexpected body type. Expected list/dict."),
        (r#"{"member":123}"#, "member: expected a project id, 1 to 64 characters of A-Z a-z 0-9 _ . -."),
    ];
    let update = [
        ("", "Body expected in request."),
        ("NaN", "Malformed JSON in request body."),
        ("{}", "Status not specified"),
        (r#"["accepted"]"#, r#"Expected a status in the form: {"status": "status"}"#),
        (r#""accepted""#, "Unexpected body type. Expected list/dict."),
    ];
    for image in [image.as_str(), "7f1b5c0e-0d4a-4a53-9c3e-1f8b7c6d5e4f", "not-a-uuid"] {
        let members = format!("/v2/images/{image}/members");
        for project in ["own1", "mem1", "str1"] {
            for (body, message) in add {
                let request = ApiRequest::new("POST", &members).typed_body("text/plain", body);
                world.send(project, Role::Member, request).await.expect_message(400, message);
            }
            for (body, message) in update {
                let request =
                    ApiRequest::new("PUT", format!("{members}/mem1")).typed_body("text/plain", body);
                world.send(project, Role::Member, request).await.expect_message(400, message);
            }
            for (method, target) in [
                ("GET", members.clone()),
                ("GET", format!("{members}/mem1")),
                ("DELETE", format!("{members}/mem1")),
            ] {
                let response = world.request_with_body(project, method, &target, &json!({})).await;
                response.expect_message(400, "A body is not expected with this request.");
            }
        }
    }
    assert_eq!(world.api.dump(), before);
}

#[tokio::test]
async fn content_type_of_member_calls_is_ignored() {
    let world = World::start(&[]).await;
    let image = world.create_image("own1", &json!({})).await;
    let request = ApiRequest::new("POST", format!("/v2/images/{image}/members"));
    let request = request.typed_body("text/plain", r#"{"member":"mem1","extra":[1]}"#);
    world.send("own1", Role::Member, request).await.expect_status(200);
    // python-glanceclient sends a content type on requests without a body.
    let request = ApiRequest::new("GET", format!("/v2/images/{image}/members"));
    let request = request.header("Content-Type", "application/octet-stream").header("Accept", "*/*");
    world.send("own1", Role::Member, request).await.expect_status(200);
}

#[tokio::test]
async fn status_value_is_checked_last() {
    let world = World::start(&[]).await;
    let image = world.create_image("own1", &json!({})).await;
    world.share("own1", &image, "mem1", "pending").await;
    let target = format!("/v2/images/{image}/members/mem1");
    for bad in [json!("Accepted"), json!("bogus"), json!(""), json!(null), json!(7), json!({})] {
        let body = json!({"status": bad});
        let own = world.request_with_body("mem1", "PUT", &target, &body).await;
        let message = r#"Incorrect request: Status must be "pending", "accepted" or "rejected"."#;
        own.expect_message(400, message);
        world.request_with_body("own1", "PUT", &target, &body).await.expect_status(403);
        world.request_with_body("str1", "PUT", &target, &body).await.expect_status(404);
    }
}

#[tokio::test]
async fn every_valid_member_id_can_be_added_and_removed() {
    let world = World::start(&[]).await;
    let image = world.create_image("own1", &json!({})).await;
    let long = "x".repeat(64);
    for member in ["a", "A.b_c-9", "9c61004714024f9586705d090530f9fa", "-", "..a", &long] {
        world.add("own1", &image, member).await.expect_status(200);
        world.decide(member, &image, "accepted").await.expect_status(200);
        world.remove("own1", &image, member).await.expect_status(204);
    }
    for member in ["a/b", "ü", "a b", ".", "..", "a\0", "a#b", &"x".repeat(65)] {
        world.add("own1", &image, member).await.expect_status(400);
    }
    assert_eq!(world.members("own1", &image).await, "");
}

#[tokio::test]
async fn thousand_members_fit_in_one_page() {
    let world = World::start(&["members-per-image=1000"]).await;
    let image = world.create_image("own1", &json!({})).await;
    let token = world.api.token("own1", Role::Member);
    for batch in 0..10 {
        let projects: Vec<_> = (0..100).map(|number| format!("p{}", batch * 100 + number)).collect();
        let request = ApiRequest::new("POST", "/v1/cloudimages/members").token(&token);
        let accepted = world.api.send(&request.json(&json!({"images": [image], "projects": projects}))).await;
        world.api.wait_for_job(&token, "own1", &accepted).await;
    }
    assert_eq!(world.members("own1", &image).await.split(' ').count(), 1000);
    assert_eq!(world.members("p7", &image).await, "p7:pending");
    world.add("own1", &image, "p1000").await.expect_status(413);
}
