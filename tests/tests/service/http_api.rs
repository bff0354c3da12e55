//! Requests as an HTTP API of API Gateway passes them on: without a route for paths that end in a slash and for the methods that a
//! path does not have, with decoded paths; and the service's health.

use imageshare_tests::deployment::Deployment;
use imageshare_tests::events::HttpEvent;
use imageshare_tests::in_process::Functions;
use serde_json::json;

/// A request of a project's member, without a route.
fn without_route(method: &str, target: &str, project: &str) -> HttpEvent {
    HttpEvent::without_route(method, target).token(&Deployment::token(project, "member"))
}

#[tokio::test]
async fn path_ending_in_a_slash_finds_its_operation() {
    let functions = Functions::start();
    for method in ["GET", "HEAD"] {
        let versions = functions.send(&HttpEvent::without_route(method, "/v2/")).await;
        assert_eq!(
            (versions.status, &versions.body["versions"][0]["id"]),
            (200, &json!("v2.17")),
            "{versions:?}"
        );
        let version = functions.send(&HttpEvent::without_route(method, "/v3/")).await;
        assert_eq!((version.status, &version.body["version"]["id"]), (200, &json!("v3.14")), "{version:?}");
    }
    for unknown in ["/v2/images/", "/v1/tenants/", "/v4/", "//"] {
        let refused = functions.send(&without_route("GET", unknown, "own1")).await;
        assert_eq!(
            (refused.status, &refused.body["error"]["code"]),
            (404, &json!("IMG.0086")),
            "{unknown}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn other_method_of_a_path_returns_405_without_a_route() {
    let functions = Functions::start();
    for (method, path, allowed) in [
        ("PATCH", "/v1/vaults", "GET, HEAD"),
        ("PUT", "/v2/images/i-1", "DELETE, GET, HEAD, PATCH"),
        ("OPTIONS", "/v3/", "GET, HEAD"),
    ] {
        let refused = functions.send(&without_route(method, path, "own1")).await;
        let refused = refused.in_case(&format!("{method} {path}"));
        assert_eq!(refused.expect_status(405).headers["allow"], allowed);
        let stranger = functions.send(&HttpEvent::without_route(method, path)).await;
        stranger.in_case(&format!("{method} {path}")).expect_status(401);
    }
}

#[tokio::test]
async fn tag_with_a_slash_is_found_in_a_decoded_path() {
    let functions = Functions::start();
    let image = functions.create_image("own1", &json!({})).await;
    let path = format!("/v2/images/{image}");
    let tags = async || {
        functions.send_without_body("own1", "GET /v2/images/{image_id}", &path).await.body["tags"].clone()
    };
    for (encoded, tag) in [("a%2Fb", "a/b"), ("a%2Fb%2F.c", "a/b/.c")] {
        let target = format!("{path}/tags/{encoded}");
        functions.send(&without_route("PUT", &target, "own1")).await.in_case(encoded).expect_status(204);
        assert_eq!(tags().await, json!([tag]));
        functions.send(&without_route("DELETE", &target, "own1")).await.in_case(encoded).expect_status(204);
        assert_eq!(tags().await, json!([]));
    }
    // These are not paths of a tag.
    for other in ["a/", "a//b", "a/..", "./a", ""] {
        let refused = functions.send(&without_route("PUT", &format!("{path}/tags/{other}"), "own1")).await;
        refused.in_case(other).expect_status(404);
    }
    assert_eq!(tags().await, json!([]));
}

#[tokio::test]
async fn health_needs_no_credential_and_reports_the_table() {
    let mut functions = Functions::start();
    for route in ["GET /health", "GET /ready"] {
        let (_, path) = route.split_once(' ').unwrap();
        let well = functions.send(&HttpEvent::new(route, path)).await;
        assert_eq!(well.in_case(route).expect_status(200).body, json!({"status": "ok"}));
    }
    let refused = functions.send(&HttpEvent::new("GET /health", "/health").text("body")).await;
    refused.expect_status(400);
    functions.disconnect_table();
    for route in ["GET /health", "GET /ready"] {
        let (_, path) = route.split_once(' ').unwrap();
        let unwell = functions.send(&HttpEvent::new(route, path)).await;
        unwell.expect_error(503, "IMG.0061").expect_message(503, "The table does not respond.");
    }
}
