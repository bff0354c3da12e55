//! The parts of the journey in the service's own API.

use imageshare_tests::local_service::create_message;
use serde_json::json;

use super::Client;

/// An access key, until it is disabled.
pub(super) async fn exercise_access_keys(owner: &Client<'_>) {
    let key = owner.call("POST", "/v1/access-keys", Some(&json!({"name": "ci"}))).await;
    let key = key.body["id"].as_str().unwrap().to_owned();
    assert_eq!(owner.get("/v1/access-keys").await.body["access_keys"][0]["id"], key.as_str());
    let key = format!("/v1/access-keys/{key}");
    owner.call("PATCH", &key, Some(&json!({"name": "pipeline"}))).await.expect_status(200);
    assert_eq!(owner.get(&key).await.body["name"], "pipeline");
    owner.call("DELETE", &key, None).await.expect_status(204);
}

/// Memberships, as their owner and their recipient see them.
pub(super) async fn exercise_memberships(owner: &Client<'_>, member: &Client<'_>) {
    let received = json!({"role": "recipient", "owners": ["own1"], "status": ["pending"]});
    let received = member.call("POST", "/v1/mem2/memberships/query", Some(&received)).await;
    let image = received.expect_status(200).body["memberships"][0]["image_id"].clone();
    let pair = json!({"images": [image], "projects": ["mem2"]});
    let sent = owner.call("POST", "/v1/own1/memberships/query", Some(&pair)).await;
    assert_eq!(sent.body["memberships"][0], received.body["memberships"][0], "{sent:?}");
}

/// A message, which is read, and read again with all others.
pub(super) async fn exercise_messages(member: &Client<'_>) {
    create_message(&member.api.store(), "mem1", "own1").await;
    member.api.wait_until_idle().await;
    let list = member.get("/v1/messages").await.body;
    assert_eq!(list["unread_count"], list["page_info"]["current_count"], "{list}");
    let message = format!("/v1/messages/{}", list["messages"][0]["id"].as_str().unwrap());
    assert_eq!(member.get(&message).await.body["message"], list["messages"][0]);
    let marked = member.call("PUT", &message, Some(&json!({"read": true}))).await;
    assert_eq!(marked.body["message"]["read"], true);
    member.call("PUT", "/v1/messages", Some(&json!({"read_up_to": list["as_of"]}))).await.expect_status(204);
    let unread = member.get("/v1/messages?unread=true").await.body;
    assert!(unread["unread_count"].as_u64() < list["unread_count"].as_u64(), "{unread}");
}

/// A policy on an owner, from its beginning to its end.
pub(super) async fn exercise_owners(member: &Client<'_>) {
    let policy = json!({"policy": "blocked"});
    member.call("PUT", "/v1/owners/other", Some(&policy)).await.expect_status(200);
    assert_eq!(member.get("/v1/owners/other").await.body["owner"]["policy"], "blocked");
    assert_eq!(member.get("/v1/owners").await.body["owners"].as_array().unwrap().len(), 1);
    member.call("DELETE", "/v1/owners/other", None).await.expect_status(204);
}

/// A share rule, from its beginning to its end.
pub(super) async fn exercise_share_rules(owner: &Client<'_>) {
    let rule = json!({"pattern": {"name": ["ruled"]}, "recipients": {"projects": ["mem2"]}});
    owner.call("PUT", "/v1/share-rules/golden", Some(&rule)).await.expect_status(200);
    for action in ["disable", "enable", "dry-run", "apply"] {
        owner.call("POST", &format!("/v1/share-rules/golden/{action}"), None).await.expect_status(200);
    }
    assert_eq!(owner.get("/v1/share-rules").await.body["share_rules"][0]["name"], "golden");
    owner.get("/v1/share-rules/golden").await.expect_status(200);
    owner.get("/v1/share-rules/golden/jobs").await.expect_status(200);
    owner.call("DELETE", "/v1/share-rules/golden", None).await.expect_status(204);
}

/// The list of a project's jobs, and its filters.
pub(super) async fn exercise_jobs(owner: &Client<'_>) {
    owner.api.wait_until_idle().await;
    let list = owner.get("/v1/own1/jobs?limit=1").await;
    let newest = &list.expect_status(200).body["jobs"][0];
    let shown = owner.get(&format!("/v1/own1/jobs/{}", newest["job_id"].as_str().unwrap())).await.body;
    assert_eq!((&newest["status"], &newest["begin_time"]), (&shown["status"], &shown["begin_time"]));
    let marker = list.body["page_info"]["next_marker"].as_str().unwrap();
    let next = owner.get(&format!("/v1/own1/jobs?limit=1&marker={marker}")).await;
    assert_ne!(next.body["jobs"][0]["job_id"], newest["job_id"]);
    owner.get("/v1/own1/jobs?status=FAIL&job_type=imsAddImageMembersJob").await.expect_status(200);
}
