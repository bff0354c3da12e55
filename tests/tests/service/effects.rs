//! What follows from changes: the events that the function `effects` derives from the table's stream.

use imageshare::domain::{Limits, Status};
use imageshare::events::BusEntry;
use imageshare::store::PARTITIONS_WITH_EFFECTS;
use imageshare::table::{AttributeValue, Table, Write};
use imageshare::usecases::respond;
use imageshare_tests::in_process::Functions;
use imageshare_tests::local_service::{caller, tenant};
use serde_json::{Value, json};

/// The events as `AUDIENCE TENANT: KIND`, and whatever of image, recipient, status and reason they have.
fn summaries(entries: &[BusEntry]) -> Vec<String> {
    entries.iter().map(|entry| summary(&entry.detail)).collect()
}

fn summary(detail: &Value) -> String {
    let text = |pointer: &str| detail.pointer(pointer).and_then(Value::as_str);
    let more = ["/recipient", "/status", "/reason", "/key/id", "/job/status"].map(text);
    let words = ["/audience", "/tenant", "/kind"].map(text).into_iter().chain(more);
    words.flatten().collect::<Vec<_>>().join(" ")
}

async fn events(functions: &Functions) -> Vec<String> {
    summaries(&functions.local.carry_out_effects().await)
}

#[tokio::test]
async fn each_side_of_a_share_gets_its_events() {
    let functions = Functions::start();
    let image = functions.create_image("own", &json!({"name": "golden"})).await;
    assert_eq!(events(&functions).await, ["owner own image.registered"]);
    functions.share("own", &[&image], &["rec"]).await;
    assert_eq!(
        events(&functions).await,
        [
            "owner own share.offered rec pending",
            "recipient rec share.offered rec pending",
            "owner own job.ended SUCCESS",
        ]
    );
    functions.respond("rec", &[&image], "accepted").await;
    assert_eq!(
        events(&functions).await,
        [
            "owner own share.accepted rec accepted",
            "recipient rec share.accepted rec accepted",
            "owner rec job.ended SUCCESS",
        ]
    );
    let body = json!({"images": [image], "projects": ["rec"]});
    let route = "DELETE /v1/cloudimages/members";
    functions.send_json("own", route, "/v1/cloudimages/members", &body).await.expect_status(200);
    assert_eq!(
        events(&functions).await,
        [
            "owner own share.withdrawn rec unshared",
            "recipient rec share.withdrawn rec unshared",
            "owner own job.ended SUCCESS",
        ]
    );
}

#[tokio::test]
async fn deleting_an_image_tells_its_recipients() {
    let functions = Functions::start();
    let image = functions.create_image("own", &json!({"name": "golden"})).await;
    functions.share("own", &[&image], &["rec"]).await;
    functions.local.carry_out_effects().await;
    let target = format!("/v2/images/{image}");
    functions.send_without_body("own", "DELETE /v2/images/{image_id}", &target).await.expect_status(204);
    functions.local.run_open_work().await;
    let told = events(&functions).await;
    for expected in [
        "owner own image.removed",
        "owner own share.withdrawn rec image_removed",
        "recipient rec share.withdrawn rec image_removed",
    ] {
        assert!(told.iter().any(|event| event == expected), "{expected}: {told:?}");
    }
}

#[tokio::test]
async fn repeated_changes_make_the_same_events() {
    let functions = Functions::start();
    let image = functions.create_image("own", &json!({})).await;
    functions.share("own", &[&image], &["rec", "other"]).await;
    let changes = functions.local.changes().await;
    let first = functions.local.effects_of(&changes).await;
    let again = functions.local.effects_of(&changes).await;
    let ids = |entries: &[BusEntry]| entries.iter().map(|e| e.detail["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&first), ids(&again));
    let mut distinct = ids(&first);
    distinct.sort_by_key(ToString::to_string);
    distinct.dedup();
    assert_eq!(distinct.len(), first.len());
}

#[tokio::test]
async fn later_event_of_a_share_has_a_greater_sequence() {
    let functions = Functions::start();
    let image = functions.create_image("own", &json!({})).await;
    functions.share("own", &[&image], &["rec"]).await;
    let sequences = |entries: &[BusEntry]| {
        let shares = entries.iter().filter(|entry| entry.detail.get("recipient").is_some());
        shares.map(|entry| entry.detail["sequence"].as_u64().unwrap()).max().unwrap()
    };
    let first = sequences(&functions.local.carry_out_effects().await);
    functions.respond("rec", &[&image], "rejected").await;
    let second = sequences(&functions.local.carry_out_effects().await);
    assert!(second > first && second < 1 << 53, "{first}, {second}");
}

#[tokio::test]
async fn recipient_learns_of_no_other_recipient() {
    let functions = Functions::start();
    let image = functions.create_image("own", &json!({})).await;
    functions.share("own", &[&image], &["rec", "other"]).await;
    for entry in functions.local.carry_out_effects().await {
        if entry.detail["tenant"] == "rec" {
            assert!(!entry.detail.to_string().contains("other"), "{}", entry.detail);
        }
    }
}

#[tokio::test]
async fn large_job_ends_once() {
    let functions = Functions::start_with(Limits::default());
    let mut images = Vec::new();
    for _ in 0..3 {
        images.push(functions.create_image("own", &json!({})).await);
    }
    let tenants: Vec<_> = (0..100).map(|n| format!("t{n}")).collect();
    let images: Vec<_> = images.iter().map(String::as_str).collect();
    functions.share("own", &images, &tenants.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let entries = functions.local.carry_out_effects().await;
    let jobs: Vec<_> = entries.iter().filter(|entry| entry.detail["kind"] == "job.ended").collect();
    assert!(!jobs.is_empty() && jobs.iter().all(|job| job.detail["job"]["pairs"] == 300), "{jobs:?}");
    assert!(jobs.windows(2).all(|pair| pair[0].detail["id"] == pair[1].detail["id"]));
    let offered = entries.iter().filter(|entry| entry.detail["kind"] == "share.offered");
    assert_eq!(offered.count(), 600);
}

#[tokio::test]
async fn taking_a_decision_back_makes_valid_events() {
    let functions = Functions::start();
    let image = functions.create_image("own", &json!({})).await;
    functions.share("own", &[&image], &["rec"]).await;
    functions.respond("rec", &[&image], "rejected").await;
    functions.local.carry_out_effects().await;
    let (images, pending) = (vec![image.parse().unwrap()], (Status::Pending, None));
    let service = &functions.local.service;
    respond(service, &caller("rec"), tenant("rec"), images, pending, None).await.unwrap();
    functions.local.run_open_work().await;
    let entries = functions.local.carry_out_effects().await;
    let told = ["owner own share.offered rec pending", "recipient rec share.offered rec pending"];
    assert_eq!(summaries(&entries)[..2], told);
    assert_eq!(entries[2].detail["job"]["task"], "reset");
}

#[tokio::test]
async fn unreadable_item_holds_up_no_other_change() {
    let functions = Functions::start();
    let image = functions.create_image("own", &json!({})).await;
    functions.share("own", &[&image], &["rec", "broken"]).await;
    let broken = [("pk", "T#broken"), ("sk", "A"), ("clock", "no stamp")];
    let broken = broken.map(|(name, text)| (name.to_owned(), AttributeValue::S(text.to_owned())));
    functions.local.table.write_item(&Write::put(broken.into())).await.unwrap();
    let told = events(&functions).await;
    assert!(told.iter().any(|event| event == "recipient rec share.offered rec pending"), "{told:?}");
    assert!(!told.iter().any(|event| event.contains("broken")), "{told:?}");
}

#[test]
fn module_filters_the_stream_by_the_same_partitions() {
    let module = include_str!("../../../infra/aws/events.tf");
    let list = format!("partitions_with_effects = {}", json!(PARTITIONS_WITH_EFFECTS)).replace(',', ", ");
    assert!(module.contains(&list), "{list}");
}
