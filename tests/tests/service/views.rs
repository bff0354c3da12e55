//! The IMS views through the function `images`: the three views of seed 001, filters, order, pages, members, quota.

use std::collections::BTreeSet;

use imageshare::domain::Timestamp;
use imageshare_tests::deployment::Deployment;
use imageshare_tests::events::HttpEvent;
use imageshare_tests::in_process::{ApiResponse, Functions};
use serde_json::{Value, json};

const LIST: &str = "GET /v2/cloudimages";
const MEMBERS: &str = "GET /v1/{project_id}/cloudimages/{image_id}/members";
const MEMBER: &str = "GET /v1/{project_id}/cloudimages/{image_id}/members/{member_id}";
const QUOTA: &str = "GET /v1/cloudimages/quota";

async fn list_images(functions: &Functions, project: &str, query: &str) -> ApiResponse {
    functions.send_without_body(project, LIST, &format!("/v2/cloudimages?{query}")).await
}

/// The names of a list's images, in order.
async fn image_names(functions: &Functions, project: &str, query: &str) -> String {
    let response = list_images(functions, project, query).await;
    response.expect_status(200);
    let images = response.body["images"].as_array().unwrap();
    images.iter().map(|image| image["name"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
}

/// Registers an image with a name, at least a millisecond before the next one, so that the order of lists is defined.
async fn create_image(functions: &Functions, owner: &str, name: &str) -> String {
    let id = functions.create_image(owner, &json!({"name": name})).await;
    let made = Timestamp::now();
    while Timestamp::now() == made {
        tokio::task::yield_now().await;
    }
    id
}

async fn make_public(functions: &Functions, image: &str) {
    let event = HttpEvent::new("PATCH /v2/images/{image_id}", &format!("/v2/images/{image}"))
        .token(&Deployment::token("op", "admin"))
        .header("content-type", "application/openstack-images-v2.1-json-patch")
        .text(&json!([{"op": "replace", "path": "/visibility", "value": "public"}]).to_string());
    functions.send(&event).await.expect_status(200);
}

#[tokio::test]
async fn recipient_lists_shares_by_member_status() {
    let functions = Functions::start();
    let mut offered = Vec::new();
    for name in ["waits", "taken", "refused"] {
        offered.push(create_image(&functions, "own", name).await);
    }
    let ids: Vec<&str> = offered.iter().map(String::as_str).collect();
    functions.share("own", &ids, &["friend"]).await;
    functions.respond("friend", &ids[1..2], "accepted").await;
    functions.respond("friend", &ids[2..], "rejected").await;
    create_image(&functions, "friend", "mine").await;

    let view = |status| format!("__imagetype=shared&visibility=shared&member_status={status}");
    assert_eq!(image_names(&functions, "friend", &view("pending")).await, "waits");
    assert_eq!(image_names(&functions, "friend", &view("accepted")).await, "taken");
    assert_eq!(image_names(&functions, "friend", &view("rejected")).await, "refused");
    assert_eq!(image_names(&functions, "friend", "").await, "mine taken");
    assert_eq!(image_names(&functions, "friend", "visibility=shared").await, "taken");
    assert_eq!(image_names(&functions, "friend", "visibility=private").await, "mine");
    assert_eq!(image_names(&functions, "friend", "owner=own").await, "taken");
    assert_eq!(image_names(&functions, "friend", "owner=friend").await, "mine");
    assert_eq!(image_names(&functions, "own", "__imagetype=shared&owner=own").await, "refused taken waits");
    assert_eq!(image_names(&functions, "own", &view("accepted")).await, "");
    assert_eq!(image_names(&functions, "stranger", "").await, "");

    functions.respond("friend", &ids[2..], "accepted").await;
    assert_eq!(image_names(&functions, "friend", &view("accepted")).await, "refused taken");
    make_public(&functions, ids[1]).await;
    assert_eq!(image_names(&functions, "friend", "").await, "mine refused taken");
    assert_eq!(image_names(&functions, "stranger", "__imagetype=gold").await, "taken");
}

#[tokio::test]
async fn image_is_found_by_its_id() {
    let functions = Functions::start();
    let id = create_image(&functions, "own", "first").await;
    create_image(&functions, "own", "second").await;
    assert_eq!(image_names(&functions, "own", &format!("id={id}")).await, "first");
    assert_eq!(image_names(&functions, "own", &format!("id={id}&name=second")).await, "");
    assert_eq!(image_names(&functions, "own", &format!("id={id}&visibility=public")).await, "");
    assert_eq!(image_names(&functions, "stranger", &format!("id={id}")).await, "");
    functions.share("own", &[&id], &["friend"]).await;
    assert_eq!(image_names(&functions, "friend", &format!("id={id}")).await, "");
    assert_eq!(image_names(&functions, "friend", &format!("id={id}&member_status=pending")).await, "first");
}

#[tokio::test]
async fn pagination_shows_every_image_once_in_every_order() {
    let functions = Functions::start();
    for name in ["c", "a", "e", "b", "d"] {
        create_image(&functions, "own", name).await;
    }
    for (order, expected) in [
        ("sort_key=created_at", "d b e a c"),
        ("sort_dir=asc", "c a e b d"),
        ("sort_key=name&sort_dir=asc", "a b c d e"),
        ("sort_key=name&sort_dir=desc", "e d c b a"),
        ("sort_key=size", "d b e a c"),
    ] {
        for by_image_id in [false, true] {
            let (mut shown, mut marker) = (Vec::new(), String::new());
            loop {
                let page = list_images(&functions, "own", &format!("limit=2&{order}{marker}")).await.body;
                let images = page["images"].as_array().unwrap();
                shown.extend(images.iter().map(|image| image["name"].as_str().unwrap().to_owned()));
                let Some(next) = page["page_info"]["next_marker"].as_str() else { break };
                let last = images.last().unwrap()["id"].as_str().unwrap();
                marker = format!("&marker={}", if by_image_id { last } else { next });
            }
            assert_eq!(shown.join(" "), expected, "{order} {by_image_id}");
        }
    }
}

#[tokio::test]
async fn marker_of_a_hidden_image_is_rejected() {
    let functions = Functions::start();
    let id = create_image(&functions, "own", "secret").await;
    for marker in [id.as_str(), "no-such", "a%23b", ""] {
        list_images(&functions, "stranger", &format!("marker={marker}")).await.expect_error(400, "IMG.0027");
    }
}

#[tokio::test]
async fn malformed_query_error_names_its_key() {
    let functions = Functions::start();
    for query in
        ["limit=0", "sort_key=colour", "visibility=all", "created_at=2026", "name=a&name=a", "tag=%FF"]
    {
        let response = list_images(&functions, "own", query).await;
        let message = response.expect_status(400).message();
        assert!(message.starts_with(query.split('=').next().unwrap()), "{response:?}");
    }
}

#[tokio::test]
async fn special_characters_in_a_query_are_literal() {
    let functions = Functions::start();
    functions.create_image("own", &json!({"name": "a &{é}|^"})).await;
    for query in ["name=a+%26%7B%C3%A9%7D%7C%5E", "name=a%20%26{%C3%A9}|^", "%01=%25&name=a+%26%7b%c3%a9}|^"]
    {
        assert_eq!(image_names(&functions, "own", query).await, "a &{é}|^", "{query}");
    }
    assert_eq!(image_names(&functions, "own", "name=a%22%3C%3E%60%00").await, "");
}

#[tokio::test]
async fn get_request_with_a_body_is_rejected() {
    let functions = Functions::start();
    for (route, target) in [
        (LIST, "/v2/cloudimages"),
        (MEMBERS, "/v1/own/cloudimages/i/members"),
        (MEMBER, "/v1/own/cloudimages/i/members/m"),
        (QUOTA, "/v1/cloudimages/quota"),
        ("GET /v1/{project_id}/jobs/{job_id}", "/v1/own/jobs/j"),
        ("GET /v1/cloudimages/job/{job_id}", "/v1/cloudimages/job/j"),
    ] {
        let response = functions.send_json("own", route, target, &json!({})).await;
        let message = &response.body["error"]["message"];
        assert_eq!(
            (response.status, message),
            (400, &"A body is not expected with this request.".into()),
            "{route}"
        );
    }
}

#[tokio::test]
async fn page_of_large_images_stays_within_the_response_limit() {
    let functions = Functions::start();
    for _ in 0..100 {
        functions.create_image("own", &json!({"large": "\"".repeat(16_000)})).await;
    }
    let (mut ids, mut pages, mut marker) = (BTreeSet::new(), 0, String::new());
    loop {
        let page = list_images(&functions, "own", &format!("limit=1000{marker}")).await.body;
        // The gateway has the body as a JSON string.
        assert!(Value::from(page.to_string()).to_string().len() < 5_500_000);
        pages += 1;
        ids.extend(page["images"].as_array().unwrap().iter().map(|image| image["id"].to_string()));
        let Some(next) = page["page_info"]["next_marker"].as_str() else { break };
        marker = format!("&marker={next}");
    }
    assert_eq!((ids.len(), pages), (100, 2));
}

#[tokio::test]
async fn owner_sees_all_members_and_a_member_only_itself() {
    let functions = Functions::start();
    let id = create_image(&functions, "own", "web").await;
    functions.share("own", &[&id], &["a", "b", "c"]).await;
    functions.respond("b", &[&id], "accepted").await;
    let members = async |caller: &str, project: &str, query: &str| {
        functions
            .send_without_body(caller, MEMBERS, &format!("/v1/{project}/cloudimages/{id}/members?{query}"))
            .await
    };
    let first = members("own", "own", "limit=2").await.body;
    assert_eq!(first["page_info"]["current_count"], 2);
    let marker = first["page_info"]["next_marker"].as_str().unwrap();
    let second = members("own", "own", &format!("limit=2&marker={marker}")).await.body;
    assert_eq!(second["members"][0]["member_id"], "c");
    assert_eq!(second["page_info"], json!({"current_count": 1}));
    let own = members("b", "b", "").await.body;
    assert_eq!(
        (own["members"].as_array().unwrap().len(), &own["members"][0]["status"]),
        (1, &"accepted".into())
    );
    members("stranger", "stranger", "").await.expect_error(400, "IMG.0027");
    for other in ["own", "a%23b"] {
        members("b", other, "").await.expect_error(403, "IMG.0026");
    }
    members("own", "own", "marker=%25").await.expect_status(400);

    let show = async |caller: &str, member: &str| {
        let target = format!("/v1/{caller}/cloudimages/{id}/members/{member}");
        functions.send_without_body(caller, MEMBER, &target).await
    };
    assert_eq!(show("own", "b").await.body["status"], "accepted");
    assert_eq!(show("b", "b").await.body["member_type"], "project");
    for (caller, member) in [("b", "a"), ("own", "nobody")] {
        show(caller, member).await.expect_error(404, "IMG.0121");
    }
}

#[tokio::test]
async fn quota_counts_own_accepted_and_pending_images() {
    let functions = Functions::start();
    let id = create_image(&functions, "own", "web").await;
    functions.share("own", &[&id], &["friend"]).await;
    functions.respond("friend", &[&id], "accepted").await;
    let used = async |project: &str| {
        let response = functions.send_without_body(project, QUOTA, "/v1/cloudimages/quota").await;
        let resources = response.body["quotas"]["resources"].as_array().unwrap().clone();
        resources.iter().map(|resource| resource["used"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(used("own").await, [1, 0, 0, 0, 0, 0]);
    assert_eq!(used("friend").await, [0, 1, 0, 0, 0, 0]);
    let waiting = create_image(&functions, "own", "later").await;
    functions.share("own", &[&waiting], &["friend"]).await;
    assert_eq!(used("friend").await, [0, 1, 0, 0, 1, 0]);
}

#[tokio::test]
async fn members_are_listed_by_status_and_counted() {
    let functions = Functions::start();
    let image = create_image(&functions, "own", "web").await;
    let projects: Vec<_> = (0..9).map(|number| format!("p{number}")).collect();
    functions.share("own", &[&image], &projects.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for (number, status) in [(1, "accepted"), (4, "accepted"), (5, "accepted"), (7, "rejected")] {
        functions.respond(&projects[number], &[&image], status).await;
    }
    let list = async |project: &str, query: &str| {
        let target = format!("/v1/{project}/cloudimages/{image}/members{query}");
        functions.send_without_body(project, MEMBERS, &target).await
    };
    let ids = |response: &ApiResponse| {
        let members = response.expect_status(200).body["members"].as_array().unwrap().iter();
        members.map(|member| member["member_id"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
    };
    let counts = json!({"pending": 5, "accepted": 3, "rejected": 1});
    for (query, expected) in [
        ("", "p0 p1 p2 p3 p4 p5 p6 p7 p8"),
        ("?status=pending", "p0 p2 p3 p6 p8"),
        ("?status=accepted", "p1 p4 p5"),
        ("?status=rejected&limit=1", "p7"),
    ] {
        let response = list("own", query).await;
        assert_eq!((ids(&response).as_str(), &response.body["page_info"]["counts"]), (expected, &counts));
    }
    let first = list("own", "?status=accepted&limit=2").await;
    let marker = first.body["page_info"]["next_marker"].as_str().unwrap();
    let second = list("own", &format!("?status=accepted&limit=2&marker={marker}")).await;
    assert_eq!((ids(&first), ids(&second)), ("p1 p4".to_owned(), "p5".to_owned()));
    assert_eq!(second.body["page_info"], json!({"current_count": 1}));
    list("own", &format!("?status=pending&marker={marker}")).await.expect_error(400, "IMG.0001");
    assert_eq!(list("own", "?limit=2").await.body["page_info"]["counts"], Value::Null);
    // A member sees itself, and not how the others have decided.
    for (query, expected) in [("", "p1"), ("?status=accepted", "p1"), ("?status=pending", "")] {
        let response = list("p1", query).await;
        assert_eq!(
            (ids(&response).as_str(), &response.body["page_info"]["counts"]),
            (expected, &Value::Null)
        );
    }
    list("own", "?status=open").await.expect_error(400, "IMG.0001");
    let refused = list("own", "?member_status=accepted").await;
    refused.expect_message(400, "member_status: expected only status, limit, marker.");
}
