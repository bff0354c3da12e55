//! The client against a server that answers as the test says.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::test_server::{Answer, TestServer, ok, refused};
use super::*;

fn image(id: &str) -> Value {
    json!({"id": id, "name": "golden", "owner": "own1", "status": "active", "visibility": "shared", "tags": [],
        "created_at": "2026-11-30T00:00:00Z", "updated_at": "2026-11-30T00:00:00Z"})
}

fn membership(image: &str, project: &str) -> Value {
    json!({"image_id": image, "image_name": "golden", "owner": "own1", "project_id": project, "status": "pending",
        "shared_at": "2026-11-30T00:00:00Z"})
}

fn token(text: &str) -> Answer {
    let body = json!({"token": {"project": {"id": "own1"}, "issued_at": "2026-11-30T10:00:00Z",
        "expires_at": "2026-11-30T11:00:00Z"}});
    Answer::Response(201, vec![("x-subject-token", text.to_owned())], body)
}

fn access_key() -> Credential {
    Credential::AccessKey { id: "key-1".to_owned(), secret: Secret::new("hush") }
}

fn wait() -> Wait {
    Wait::for_at_most(Duration::from_mins(1), CancellationToken::new())
}

fn job(id: &str, status: &str, results: Value) -> Value {
    json!({"job_id": id, "job_type": "imsAddImageMembersJob", "status": status, "begin_time": "t", "end_time": null,
        "error_code": null, "fail_reason": null, "entities": {"process_percent": 0.0, "subJobId": "", "results": results}})
}

#[tokio::test]
async fn criterion_17_busy_service_is_asked_again_under_one_key() {
    let busy = Answer::Response(503, vec![("retry-after", "0".to_owned())], Value::Null);
    let server = TestServer::start(vec![
        refused(429, "IMG.0060"),
        busy,
        refused(504, "IMG.0060"),
        Answer::Break,
        Answer::Response(201, Vec::new(), image("a")),
    ])
    .await;
    let new = NewImage { id: "a".to_owned(), ..NewImage::default() };
    assert_eq!(server.client().create_image(&new).await.expect("an image").id, "a");
    let received = server.received();
    let keys: BTreeSet<_> =
        received.iter().map(|one| one.header("idempotency-key").map(str::to_owned)).collect();
    assert_eq!((received.len(), keys.len()), (5, 1));
    assert!(keys.first().is_some_and(Option::is_some));
}

#[tokio::test]
async fn lost_race_is_repeated_and_other_conflicts_are_not() {
    let server =
        TestServer::start(vec![refused(409, "IMG.0046"), ok(image("a")), refused(409, "IMG.0105")]).await;
    let client = server.client();
    client.update_image("a", &[]).await.expect("an image");
    assert_eq!(client.update_image("a", &[]).await.expect_err("an error").kind, ErrorKind::Conflict);
}

#[tokio::test]
async fn two_calls_have_two_keys() {
    let server = TestServer::start(vec![ok(image("a")), ok(image("b"))]).await;
    let client = server.client();
    for id in ["a", "b"] {
        let new = NewImage { id: id.to_owned(), ..NewImage::default() };
        client.create_image(&new).await.expect("an image");
    }
    let keys: BTreeSet<_> =
        server.received().iter().map(|one| one.header("idempotency-key").map(str::to_owned)).collect();
    assert_eq!(keys.len(), 2);
}

#[tokio::test]
async fn retries_end_with_the_services_error() {
    let server = TestServer::start(vec![refused(503, "IMG.0060"); 5]).await;
    let error = server.client().image("a").await.expect_err("an error");
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert_eq!(error.origin.request_id.as_deref(), Some("request-1"));
    assert_eq!(server.names().len(), 5);
}

#[tokio::test]
async fn retry_after_beyond_the_deadline_ends_the_call() {
    let far = Answer::Response(429, vec![("retry-after", "86400".to_owned())], Value::Null);
    let server = TestServer::start(vec![far]).await;
    let error = server.client().image("a").await.expect_err("an error");
    assert_eq!(error.kind, ErrorKind::Throttled);
}

#[tokio::test]
async fn refused_token_of_a_key_is_replaced_once() {
    let server = TestServer::start(vec![
        token("first"),
        refused(401, "IMG.0087"),
        token("second"),
        ok(image("a")),
        ok(image("a")),
    ])
    .await;
    let client = server.client_with(access_key());
    client.image("a").await.expect("an image");
    client.image("a").await.expect("an image");
    let tokens: Vec<_> =
        server.received().iter().map(|one| one.header("x-auth-token").map(str::to_owned)).collect();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(tokens, [None, text("first"), None, text("second"), text("second")]);
}

#[tokio::test]
async fn refused_credential_is_an_error_without_the_secret() {
    let server = TestServer::start(vec![refused(401, "IMG.0087"); 2]).await;
    let with_key = server.client_with(access_key()).image("a").await.expect_err("an error");
    let with_token = server.client().image("a").await.expect_err("an error");
    for error in [with_key, with_token] {
        assert_eq!(error.kind, ErrorKind::Unauthorized);
        let text = format!("{error} {error:?}");
        assert!(!text.contains("hush") && !text.contains("\"token\""), "{text}");
    }
}

#[tokio::test]
async fn criterion_26_requests_carry_no_signature() {
    let server = TestServer::start(vec![token("first"), ok(image("a"))]).await;
    server.client_with(access_key()).image("a").await.expect("an image");
    let received = server.received();
    let [issue, read] = &received[..] else { panic!("expected two requests, got {received:?}") };
    assert_eq!(issue.body["auth"]["identity"]["application_credential"]["id"], "key-1");
    assert_eq!((read.header("authorization"), read.header("x-sdk-date")), (None, None));
}

#[tokio::test]
async fn reads_at_the_same_time_are_joined() {
    let page = json!({"memberships": [membership("a", "p1"), membership("b", "p2")], "page_info": {}});
    let server = TestServer::start(vec![ok(page)]).await;
    let client = server.client();
    let pair =
        |image: &str, project: &str| Pair { image_id: image.to_owned(), project_id: project.to_owned() };
    let (first, second, third) = tokio::join!(
        client.membership(pair("a", "p1")),
        client.membership(pair("b", "p2")),
        client.membership(pair("b", "p1")),
    );
    assert_eq!(first.expect("a read").map(|one| one.project_id).as_deref(), Some("p1"));
    assert_eq!(second.expect("a read").map(|one| one.image_id).as_deref(), Some("b"));
    assert_eq!(third.expect("a read"), None);
    let received = server.received();
    let [query] = &received[..] else { panic!("expected one request, got {received:?}") };
    assert_eq!(
        query.body,
        json!({"role": "owner", "images": ["a", "b"], "projects": ["p1", "p2"], "limit": 1000})
    );
}

#[tokio::test]
async fn list_is_read_to_its_last_page() {
    let first = json!({"memberships": [membership("a", "p1")], "page_info": {"next_marker": "m"}});
    let empty = json!({"memberships": [], "page_info": {"next_marker": "n"}});
    let last = json!({"memberships": [membership("a", "p2")], "page_info": {}});
    let server = TestServer::start(vec![ok(first), ok(empty), ok(last)]).await;
    let images = BTreeSet::from(["a".to_owned()]);
    let members = server.client().members_of(&images).await.expect("members");
    assert_eq!(members.len(), 2);
    let markers: Vec<_> = server.received().into_iter().map(|one| one.body["marker"].clone()).collect();
    assert_eq!(markers, [Value::Null, json!("m"), json!("n")]);
}

#[tokio::test]
async fn list_with_the_same_marker_twice_is_an_error() {
    let page = json!({"memberships": [], "page_info": {"next_marker": "m"}});
    let server = TestServer::start(vec![ok(page.clone()), ok(page)]).await;
    let images = BTreeSet::from(["a".to_owned()]);
    let error = server.client().members_of(&images).await.expect_err("an error");
    assert_eq!(error.kind, ErrorKind::UnexpectedResponse);
}

#[tokio::test]
async fn thousand_pairs_are_read_by_one_call() {
    let server = TestServer::start(vec![ok(json!({"memberships": [], "page_info": {}}))]).await;
    let ids =
        |letter: char, count: usize| (0..count).map(|n| format!("{letter}{n}")).collect::<BTreeSet<_>>();
    server.client().memberships_between(&ids('i', 10), &ids('p', 100)).await.expect("a read");
    assert_eq!(server.names(), ["POST /v1/own1/memberships/query"]);
}

#[tokio::test]
async fn change_in_several_calls_waits_for_each_job() {
    let service = json!({"version": "0.2.0", "project_id": "own1",
        "limits": {"images_per_request": 2, "recipients_per_request": 2, "pairs_per_job": 2}});
    let failed = json!([{"image_id": "b", "project_id": "p1", "status": "failed", "error_code": "IMG.0099",
        "error_msg": "No key."}]);
    let success = json!([{"image_id": "a", "project_id": "p1", "status": "success", "outcome": "shared"}]);
    let server = TestServer::start(vec![
        ok(service),
        ok(json!({"job_id": "j1"})),
        ok(json!({"job_id": "j2"})),
        ok(job("j1", "RUNNING", json!([]))),
        ok(job("j1", "RUNNING", json!([]))),
        ok(job("j1", "SUCCESS", json!([]))),
        ok(job("j1", "SUCCESS", success)),
        ok(job("j2", "FAIL", failed)),
    ])
    .await;
    let pair =
        |image: &str, project: &str| Pair { image_id: image.to_owned(), project_id: project.to_owned() };
    let pairs = BTreeSet::from([pair("a", "p1"), pair("a", "p2"), pair("b", "p1"), pair("b", "p2")]);
    let changed = server.client().change_memberships(MembershipChange::Share, &pairs, &wait()).await;
    assert_eq!(changed.results.len(), 2);
    assert_eq!(changed.failures().map(|one| one.image_id.as_str()).collect::<Vec<_>>(), ["b"]);
    assert!(changed.errors.is_empty() && changed.unfinished.is_empty());
    let names = server.names();
    assert_eq!(names.iter().filter(|name| *name == "POST /v1/cloudimages/members").count(), 2);
    assert_eq!(names.iter().filter(|name| *name == "GET /v1/cloudimages/job/j1").count(), 2);
}

#[tokio::test]
async fn interrupted_wait_keeps_the_jobs_id() {
    let server = TestServer::start(vec![
        refused(405, "IMG.0105"),
        ok(json!({"job_id": "j1"})),
        ok(job("j1", "RUNNING", json!([]))),
    ])
    .await;
    let pairs = BTreeSet::from([Pair { image_id: "a".to_owned(), project_id: "p".to_owned() }]);
    let wait = wait();
    let interrupt = async {
        while server.names().len() < 3 {
            tokio::task::yield_now().await;
        }
        wait.stop.cancel();
    };
    let client = server.client();
    let change = client.change_memberships(MembershipChange::Share, &pairs, &wait);
    let (changed, ()) = tokio::join!(change, interrupt);
    assert_eq!(changed.unfinished, [("j1".to_owned(), StopWaiting::Interrupted)]);
}

#[tokio::test]
async fn deleting_what_is_gone_succeeds() {
    let server = TestServer::start(vec![refused(404, "IMG.0027"), refused(403, "IMG.0026")]).await;
    let client = server.client();
    client.delete_image("a", true).await.expect("success");
    let error = client.delete_image("a", true).await.expect_err("an error");
    assert_eq!(error.kind, ErrorKind::Forbidden { project: Some("own1".to_owned()) });
    assert_eq!(server.names(), ["DELETE /v2/images/a?unless_shared=true"; 2]);
}
