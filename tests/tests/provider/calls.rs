//! How many calls of the API a plan makes: what its speed depends on.

use imageshare_tests::recording_proxy::RecordingProxy;
use serde_json::json;

use crate::world::World;

/// The pairs that one call reads.
const PAIRS_PER_CALL: usize = 1000;
/// The calls besides: Terraform starts the provider anew for each of its phases, and each start looks what the server is.
const OTHER_CALLS: usize = 3;

/// Shares ten images with these projects, and plans without changes. Expects as many reads of memberships as their pages take.
async fn expect_few_calls(projects: usize) {
    let limits = ["members-per-image=2000", "pending-per-owner=100000"];
    let Some(world) = World::with_limits(&limits).await else { return };
    let proxy = RecordingProxy::start(&world.api.address().to_string()).await;
    let world = world.at(format!("http://{}", proxy.address()));
    let mut images = Vec::new();
    for number in 0..10 {
        images.push(world.image(json!({"name": format!("image-{number}")})).await);
    }
    let projects: Vec<String> = (0..projects).map(|number| format!("p{number}")).collect();
    world.write(&format!(
        "resource \"imageshare_share\" \"s\" {{\n  image_ids   = {images:?}\n  project_ids = {projects:?}\n}}\n"
    ));
    world.project.apply().await;
    proxy.take_requests();
    world.project.expect_no_changes().await;
    let calls = proxy.take_requests();
    let reads = calls.iter().filter(|call| call.ends_with("/memberships/query")).count();
    assert_eq!(reads, images.len() * projects.len() / PAIRS_PER_CALL, "{calls:?}");
    assert!(calls.len() <= reads + OTHER_CALLS, "{calls:?}");
}

#[tokio::test]
async fn criterion_6_plan_of_1000_pairs_takes_few_calls() {
    expect_few_calls(100).await;
}

#[tokio::test]
async fn criterion_6_plan_of_10000_pairs_takes_a_call_a_page() {
    expect_few_calls(1000).await;
}

#[tokio::test]
async fn criterion_27_share_and_acceptance_take_few_calls() {
    let Some(world) = World::new().await else { return };
    let proxy = RecordingProxy::start(&world.api.address().to_string()).await;
    let world = world.at(format!("http://{}", proxy.address()));
    let image = world.image(json!({"name": "golden"})).await;
    world.write(&format!(
        r#"
resource "imageshare_share" "s" {{
  image_ids   = ["{image}"]
  project_ids = ["mem1"]
}}
resource "imageshare_acceptance" "a" {{
  provider   = imageshare.recipient
  image_id   = "{image}"
  depends_on = [imageshare_share.s]
}}
"#
    ));
    world.project.apply().await;
    let calls = proxy.take_requests();
    // The share ends with its request, and is there when the acceptance looks for it: nothing is waited for.
    let count = |call: &str| calls.iter().filter(|made| made.contains(call)).count();
    assert_eq!((count("POST /v1/cloudimages/members"), count("/jobs/")), (1, 1), "{calls:?}");
    assert_eq!((count("PUT "), count("/memberships/query")), (1, 2), "{calls:?}");
    assert!(calls.len() <= 12, "{calls:?}");
}
