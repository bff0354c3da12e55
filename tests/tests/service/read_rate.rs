//! A tenant that exceeds its read rate gets a 429 in the form of each facade; no other tenant does.

use imageshare::domain::{Limits, Role};
use imageshare::facade::{alibaba, glance, identity, ims, messages, registry, share_rules};
use imageshare_tests::api::{Api, ApiRequest};
use imageshare_tests::api_document::ApiDocument;
use imageshare_tests::deployment::Deployment;
use imageshare_tests::events::HttpEvent;
use imageshare_tests::in_process::{ApiResponse, Functions};
use serde_json::json;

const IMAGES: usize = 100;
const LIST: (&str, &str) = (glance::list::ROUTE, "/v2/images?limit=100");

/// Functions that allow 60 read units per minute, and a hundred images of `own1`; a list of all of them costs some
/// 50.
async fn start() -> (Functions, String) {
    let functions = Functions::start_with(Limits { read_units_per_second: 1, ..Limits::default() });
    let mut last = String::new();
    for _ in 0..IMAGES {
        last = functions.local.create_image("own1").await.to_string();
    }
    (functions, last)
}

/// Lets `own1` read until it is refused: its next read has to wait for some 40 seconds.
async fn exhaust_read_rate(functions: &Functions) {
    for _ in 0..2 {
        let list = functions.send_without_body("own1", LIST.0, LIST.1).await;
        list.expect_status(200);
        assert_eq!(list.body["images"].as_array().unwrap().len(), IMAGES);
    }
}

/// Checks that a response is the documented refusal. Returns its code.
fn check_throttled(response: &ApiResponse, method: &str, path: &str) -> String {
    response.expect_status(429);
    let wait: u64 = response.headers["retry-after"].parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    let document = ApiDocument::load();
    let operation = document.find_operation(method, path);
    assert_eq!(document.response_violation(&operation, response.status, Some(&response.body)), None);
    let code = response.body.get("Code").unwrap_or(&response.body["error"]["code"]);
    code.as_str().unwrap().to_owned()
}

fn rpc_event(method: &str, query: &str) -> HttpEvent {
    let route = if method == "GET" { alibaba::GET_ROUTE } else { alibaba::POST_ROUTE };
    HttpEvent::new(route, &format!("/?{query}")).token(&Deployment::token("own1", "member"))
}

#[tokio::test]
async fn throttled_read_uses_the_error_format_of_its_facade() {
    let (functions, image) = start().await;
    exhaust_read_rate(&functions).await;
    let job = "0".repeat(32);
    for (route, path) in [
        (ims::list::ROUTE, "/v2/cloudimages".to_owned()),
        (ims::quota::ROUTE, "/v1/cloudimages/quota".to_owned()),
        (ims::job::ROUTE, format!("/v1/own1/jobs/{job}")),
        (ims::jobs::ROUTE, "/v1/own1/jobs".to_owned()),
        (ims::job::PROGRESS_ROUTE, format!("/v1/cloudimages/job/{job}")),
        (glance::list::ROUTE, "/v2/images".to_owned()),
        (glance::show::ROUTE, format!("/v2/images/{image}")),
        (glance::members::list::ROUTE, format!("/v2/images/{image}/members")),
        (registry::vaults::list::ROUTE, "/v1/vaults".to_owned()),
        (registry::owners::list::ROUTE, "/v1/owners".to_owned()),
        (share_rules::list::ROUTE, "/v1/share-rules".to_owned()),
        (share_rules::jobs::ROUTE, "/v1/share-rules/r-1/jobs".to_owned()),
        (registry::tenants::show::ROUTE, "/v1/tenants/own1".to_owned()),
        (registry::key_grants::list::ROUTE, "/v1/keys/k/grants".to_owned()),
        (identity::list_keys::ROUTE, "/v1/access-keys".to_owned()),
        (messages::list::ROUTE, "/v1/messages".to_owned()),
    ] {
        let response = functions.send_without_body("own1", route, &path).await;
        assert_eq!(check_throttled(&response, "GET", &path), "IMG.0060", "{path}");
        let message = response.body["error"]["message"].as_str().unwrap();
        assert!(message.contains("1 read units per second"), "{message}");
        let is_of_glance = path.starts_with("/v2/images");
        assert_eq!(message.starts_with("This request was rate-limited: "), is_of_glance, "{path}: {message}");
    }
    for (method, query) in [
        ("GET", "Action=DescribeImages&Version=2020-09-30&RegionId=local".to_owned()),
        ("POST", format!("Action=DescribeImagePermission&Version=2020-09-30&RegionId=local&ImageId={image}")),
        (
            "POST",
            format!("Action=DescribeImageSharePermission&Version=2014-05-26&RegionId=local&ImageId={image}"),
        ),
    ] {
        let response = functions.send(&rpc_event(method, &query)).await;
        assert_eq!(check_throttled(&response, method, "/"), "Throttling.User", "{query}");
        assert!(
            response.body["Message"].as_str().unwrap().starts_with("Request was denied due to user flow")
        );
        let millis = &response.headers["x-acs-retry-after"];
        assert_eq!(*millis, format!("{}000", response.headers["retry-after"]));
    }
}

#[tokio::test]
async fn throttled_read_does_not_reach_the_table() {
    let (mut functions, _) = start().await;
    exhaust_read_rate(&functions).await;
    functions.disconnect_table();
    functions.send_without_body("own1", LIST.0, LIST.1).await.expect_status(429);
    let describe = rpc_event("GET", "Action=DescribeImages&Version=2020-09-30&RegionId=local");
    functions.send(&describe).await.expect_status(429);
    functions.send_without_body("own2", LIST.0, LIST.1).await.expect_status(503);
}

#[tokio::test]
async fn read_rate_is_limited_per_tenant() {
    let (functions, image) = start().await;
    functions.share("own1", &[&image], &["mem1"]).await;
    exhaust_read_rate(&functions).await;
    functions.send_without_body("own1", LIST.0, LIST.1).await.expect_status(429);
    for project in ["own2", "mem1", "own1.", "OWN1"] {
        functions.send_without_body(project, LIST.0, LIST.1).await.expect_status(200);
    }
    let shown =
        functions.send_without_body("mem1", glance::show::ROUTE, &format!("/v2/images/{image}")).await;
    shown.expect_status(200);
}

#[tokio::test]
async fn writes_do_not_count_against_the_read_rate() {
    let (functions, image) = start().await;
    let members = "/v1/cloudimages/members";
    let both = json!({"images": [image], "projects": ["mem1", "mem2"]});
    // These reads cost far more than 60 units.
    for _ in 0..40 {
        functions.send_json("own1", ims::share::ROUTE, members, &both).await.expect_status(200);
    }
    functions.local.run_open_work().await;
    exhaust_read_rate(&functions).await;
    functions.send_without_body("own1", LIST.0, LIST.1).await.expect_status(429);

    let one = json!({"images": [image], "projects": ["mem1"]});
    functions.send_json("own1", ims::unshare::ROUTE, members, &one).await.expect_status(200);
    let member = format!("/v2/images/{image}/members/mem2");
    let token = Deployment::token("own1", "member");
    let removal = HttpEvent::new(glance::members::remove::ROUTE, &member).token(&token);
    functions.send(&removal).await.expect_status(204);
    let query = format!(
        "Action=ModifyImagePermission&Version=2020-09-30&RegionId=local&ImageId={image}&RemoveAccount.1=mem3"
    );
    for method in ["GET", "POST"] {
        functions.send(&rpc_event(method, &query)).await.expect_status(200);
    }
    let delete = HttpEvent::new(glance::delete::ROUTE, &format!("/v2/images/{image}")).token(&token);
    functions.send(&delete).await.expect_status(204);
}

#[tokio::test]
async fn server_applies_the_configured_read_rate() {
    let api = Api::start(&["read-units-per-second=1"]).await;
    let token = api.token("own1", Role::Member);
    let mut last = None;
    // Each reads at least one unit, and 60 may be read at once.
    for _ in 0..10_000 {
        let response = api.send(&ApiRequest::new("GET", "/v1/cloudimages/quota").token(&token)).await;
        if response.status != 200 {
            last = Some(response);
            break;
        }
    }
    let refused = last.expect("a refusal");
    refused.expect_error(429, "IMG.0060");
    assert!(refused.headers["retry-after"].parse::<u64>().unwrap() >= 1);
    let other = api.token("own2", Role::Member);
    api.send(&ApiRequest::new("GET", "/v1/cloudimages/quota").token(&other)).await.expect_status(200);
}
