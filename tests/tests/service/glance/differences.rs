//! Checks the page of differences, `shared/src/facade/glance/DIFFERENCES.md`, against the code.

use std::fs;
use std::path::PathBuf;

use imageshare::domain::Role;
use imageshare_tests::api::ApiRequest;
use serde_json::json;

use super::World;

const DIFFERENCES: &str = include_str!("../../../../shared/src/facade/glance/DIFFERENCES.md");

#[test]
fn every_difference_names_an_existing_test() {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests");
    let rows = DIFFERENCES.lines().filter(|line| line.starts_with("| ")).skip(1);
    let mut missing = Vec::new();
    for row in rows {
        let cells: Vec<_> = row.trim_matches('|').split('|').collect();
        assert_eq!(cells.len(), 4, "{row}");
        let named: Vec<_> = cells[3].split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty() && named.len().is_multiple_of(2), "{row}: a file and a name for each test");
        for pair in named.chunks(2) {
            let text = fs::read_to_string(tests.join(pair[0])).unwrap_or_default();
            if !text.contains(&format!("fn {}(", pair[1])) {
                missing.push(format!("{} {}", pair[0], pair[1]));
            }
        }
    }
    assert!(missing.is_empty(), "no such test: {missing:#?}");
}

#[tokio::test]
async fn small_differences_match_the_page() {
    let world = World::start(&[]).await;
    let image = world.create_image("own1", &json!({"name": "web", "protected": true})).await;
    assert_eq!(world.image_names("own1", "protected=True").await, "web");
    for (target, status) in [
        ("/v2/images?visibility=", 400),
        ("/v2/tasks", 404),
        ("/v2/metadefs/namespaces", 404),
        ("/v2/info/stores", 404),
        ("/healthcheck", 404),
        ("//v2/images", 404),
    ] {
        world.request("own1", "GET", target).await.expect_status(status);
    }
    let options = world.request("own1", "OPTIONS", "/v2/images").await;
    options.expect_status(405);
    assert_eq!(options.headers["allow"], "GET, HEAD, POST");
    let change = json!([{"op": "replace", "path": "/owner", "value": "mem1"}]);
    let request = ApiRequest::new("PATCH", format!("/v2/images/{image}")).json(&change);
    world.send("adm1", Role::Admin, request).await.expect_status(403);
}

#[tokio::test]
async fn hidden_image_is_a_valid_marker() {
    let world = World::start(&[]).await;
    for name in ["a", "b", "c"] {
        world.create_image("own1", &json!({"name": name, "os_hidden": name == "b"})).await;
    }
    let hidden =
        world.request("own1", "GET", "/v2/images?os_hidden=true").await.body["images"][0]["id"].clone();
    let marker = hidden.as_str().unwrap();
    assert_eq!(world.image_names("own1", &format!("marker={marker}")).await, "a");
}
