//! The messages that follow from requests, written by the function `effects`.

use imageshare::domain::{Limits, PermissionChange, Policy, Status};
use imageshare::facade::messages;
use imageshare::usecases::{DryRun, change_permissions, put_owner_policy};
use imageshare_tests::in_process::Functions;
use imageshare_tests::local_service::{caller, tenant};
use serde_json::{Value, json};

/// The messages of a project, once what follows from all changes is carried out.
async fn messages_of(functions: &Functions, project: &str) -> Vec<Value> {
    functions.local.carry_out_effects().await;
    let list = functions.send_without_body(project, messages::list::ROUTE, "/v1/messages").await;
    list.expect_status(200).body["messages"].as_array().unwrap().clone()
}

/// The same as `KIND from COUNTERPART: NUMBER OF IMAGES`, the latest request first.
async fn summaries(functions: &Functions, project: &str) -> Vec<String> {
    let summary = |message: &Value| {
        let text = |pointer: &str| message.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        format!("{} from {}: {}", text("/kind"), text("/counterpart/project_id"), message["image_count"])
    };
    messages_of(functions, project).await.iter().map(summary).collect()
}

#[tokio::test]
async fn each_side_gets_messages_of_the_other() {
    let functions = Functions::start();
    let image = functions.create_image("own", &json!({"name": "golden"})).await;
    functions.share("own", &[&image], &["rec", "other"]).await;
    assert_eq!(summaries(&functions, "rec").await, ["share.offered from own: 1"]);
    assert_eq!(summaries(&functions, "own").await, [""; 0]);
    functions.respond("rec", &[&image], "accepted").await;
    functions.respond("other", &[&image], "rejected").await;
    let of_owner = ["share.rejected from other: 1", "share.accepted from rec: 1"];
    assert_eq!(summaries(&functions, "own").await, of_owner);
    let target = format!("/v2/images/{image}");
    functions.send_without_body("own", "DELETE /v2/images/{image_id}", &target).await.expect_status(204);
    functions.local.run_open_work().await;
    let of_recipient = ["share.withdrawn from own: 1", "share.offered from own: 1"];
    assert_eq!(summaries(&functions, "rec").await, of_recipient);
    assert_eq!(summaries(&functions, "own").await, of_owner);
    let named = messages_of(&functions, "rec").await[1]["images"].clone();
    assert_eq!(named, json!([{"id": image, "name": "golden"}]));
}

#[tokio::test]
async fn share_without_a_decision_is_no_message_to_its_owner() {
    let functions = Functions::start();
    let [asked, trusted] = ["asked", "trusted"].map(|name| json!({"name": name}));
    let asked = functions.create_image("own", &asked).await;
    let change = PermissionChange::new([tenant("rec")].into(), [].into()).unwrap();
    let (service, own) = (&functions.local.service, caller("own"));
    change_permissions(service, &own, &asked.parse().unwrap(), &change, DryRun::Off).await.unwrap();
    let trust = Policy::Trusted { vault: None };
    put_owner_policy(service, &caller("rec"), tenant("own"), trust).await.unwrap();
    let trusted = functions.create_image("own", &trusted).await;
    functions.share("own", &[&trusted], &["rec"]).await;
    for image in [&asked, &trusted] {
        let status = service.store.member_status(&image.parse().unwrap(), &tenant("rec")).await.unwrap();
        assert_eq!(status, Some(Status::Accepted));
    }
    assert_eq!(summaries(&functions, "own").await, [""; 0]);
    assert_eq!(summaries(&functions, "rec").await, ["share.offered from own: 1"; 2]);
    functions.respond("rec", &[&trusted], "rejected").await;
    assert_eq!(summaries(&functions, "own").await, ["share.rejected from rec: 1"]);
}

#[tokio::test]
async fn batch_of_images_is_one_message_to_each_recipient() {
    let functions = Functions::start_with(Limits::default());
    let mut images = Vec::new();
    for _ in 0..12 {
        images.push(functions.create_image("own", &json!({})).await);
    }
    let recipients: Vec<_> = (0..40).map(|number| format!("rec{number}")).collect();
    let images: Vec<_> = images.iter().map(String::as_str).collect();
    functions.share("own", &images, &recipients.iter().map(String::as_str).collect::<Vec<_>>()).await;
    functions.local.carry_out_effects().await;
    for recipient in [&recipients[0], &recipients[39]] {
        let messages = messages_of(&functions, recipient).await;
        assert_eq!(messages.len(), 1, "{messages:?}");
        assert_eq!(messages[0]["image_count"], 12);
        assert_eq!(messages[0]["images"].as_array().unwrap().len(), 10);
    }
}

#[tokio::test]
async fn repeated_changes_make_the_same_messages() {
    let functions = Functions::start();
    let image = functions.create_image("own", &json!({"name": "a"})).await;
    functions.share("own", &[&image], &["rec"]).await;
    let changes = functions.local.changes().await;
    let mut before = None;
    for _ in 0..2 {
        functions.local.effects_of(&changes).await;
        let list = functions.send_without_body("rec", messages::list::ROUTE, "/v1/messages").await;
        let messages = list.body["messages"].clone();
        assert_eq!(messages.as_array().unwrap().len(), 1);
        assert_eq!(*before.get_or_insert(messages.clone()), messages);
        let read = format!("/v1/messages/{}", messages[0]["id"].as_str().unwrap());
        let body = json!({"read": true});
        functions.send_json("rec", messages::mark::ROUTE, &read, &body).await.expect_status(200);
        before.as_mut().unwrap()[0]["read"] = json!(true);
    }
}

#[tokio::test]
async fn withdrawn_key_grant_is_a_message_that_names_the_key() {
    let functions = Functions::start();
    let (grant, target) = ("/v1/keys/{key_id}/grants/{project_id}", "/v1/keys/k-1/grants/rec");
    for method in ["PUT", "DELETE"] {
        let route = format!("{method} {grant}");
        functions.send_without_body("own", &route, target).await.expect_status(200);
    }
    assert_eq!(summaries(&functions, "rec").await, ["grant.ended from own: 0"]);
    assert_eq!(messages_of(&functions, "rec").await[0]["key_id"], "k-1");
    assert_eq!(summaries(&functions, "own").await, [""; 0]);
}
