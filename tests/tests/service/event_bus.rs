//! The event bus of a server: who may put events, for which account, and who may read them.

use std::time::{Duration, SystemTime};

use imageshare::domain::Role;
use imageshare_tests::api::{Api, ApiRequest, ApiResponse};
use imageshare_tests::aws_signer::AwsSigner;
use serde_json::{Value, json};

const ACCOUNT: &str = "123456789012";
const OTHER_ACCOUNT: &str = "210987654321";
const PUT_EVENTS: &str = "AWSEvents.PutEvents";

struct Fixture {
    api: Api,
}

impl Fixture {
    /// A server where `own1` and `own2` are bound to an account each.
    async fn start() -> Self {
        let world = Self { api: Api::start(&[]).await };
        let admin = world.api.token("ops", Role::Admin);
        for (tenant, account) in [("own1", ACCOUNT), ("own2", OTHER_ACCOUNT)] {
            let entry = json!({"account": "acme", "project": tenant, "cloud_account": account});
            let put = ApiRequest::new("PUT", format!("/v1/tenants/{tenant}"));
            world.api.send(&put.token(&admin).json(&entry)).await.expect_status(200);
        }
        world
    }

    /// An access key of a project.
    async fn signer(&self, project: &str, role: Role) -> AwsSigner {
        let new = json!({"name": "events", "roles": [role.name()]});
        let create = ApiRequest::new("POST", "/v1/access-keys").token(&self.api.token(project, Role::Admin));
        let key = self.api.send(&create.json(&new)).await;
        let text = |name: &str| key.body[name].as_str().unwrap_or_else(|| panic!("{key:?}")).to_owned();
        AwsSigner {
            key_id: text("id"),
            secret: text("secret"),
            region: "eu-west-1".to_owned(),
            date: SystemTime::now(),
        }
    }

    async fn put(&self, signer: &AwsSigner, entries: &[Value]) -> ApiResponse {
        let body = json!({"Entries": entries}).to_string();
        self.api.send_undocumented(&signer.call("/events", PUT_EVENTS, &body)).await
    }

    async fn read(&self, role: Role, query: &str) -> ApiResponse {
        let request = ApiRequest::new("GET", format!("/events{query}"));
        self.api.send_undocumented(&request.token(&self.api.token("ops", role))).await
    }

    /// The images that a project owns.
    async fn images(&self, project: &str) -> Vec<Value> {
        let list = ApiRequest::new("GET", "/v2/images").token(&self.api.token(project, Role::Reader));
        self.api.send(&list).await.body["images"].as_array().unwrap().clone()
    }
}

fn ami(id: &str) -> Value {
    let detail = json!({"ImageId": id, "State": "available", "ErrorMessage": ""});
    json!({"Source": "aws.ec2", "DetailType": "EC2 AMI State Change", "Detail": detail.to_string()})
}

/// The same entry for the bus of an account.
fn for_account(mut entry: Value, account: &str) -> Value {
    entry["EventBusName"] = json!(format!("arn:aws:events:eu-west-1:{account}:event-bus/default"));
    entry
}

/// The error codes of a response's entries; empty for one that was put.
fn codes(response: &ApiResponse) -> Vec<&str> {
    let entries = response.body["Entries"].as_array().unwrap_or_else(|| panic!("{response:?}"));
    entries.iter().map(|entry| entry["ErrorCode"].as_str().unwrap_or_default()).collect()
}

#[tokio::test]
async fn signed_event_registers_an_image_before_its_response() {
    let world = Fixture::start().await;
    let signer = world.signer("own1", Role::Member).await;
    let response = world.put(&signer, &[ami("ami-1"), for_account(ami("ami-2"), ACCOUNT)]).await;
    response.expect_status(200);
    assert_eq!((&response.body["FailedEntryCount"], codes(&response)), (&json!(0), vec!["", ""]));
    assert_eq!(response.headers["content-type"], "application/x-amz-json-1.1");
    assert!(response.body["Entries"][0]["EventId"].is_string());
    let images = world.images("own1").await;
    assert_eq!(images.len(), 2);
    assert_eq!(
        (&images[0]["cloud_account"], &images[0]["cloud_region"]),
        (&json!(ACCOUNT), &json!("eu-west-1"))
    );

    let bus = world.read(Role::Admin, "").await;
    let put: Vec<_> =
        bus.body["events"].as_array().unwrap().iter().filter(|event| event["source"] == "aws.ec2").collect();
    assert_eq!(put.len(), 2, "{bus:?}");
    assert_eq!(
        (&put[0]["account"], &put[0]["id"]),
        (&json!(ACCOUNT), &response.body["Entries"][0]["EventId"])
    );
}

#[tokio::test]
async fn endpoint_without_a_path_and_a_token_work_too() {
    let world = Fixture::start().await;
    let signer = world.signer("own1", Role::Member).await;
    for (path, id) in [("/", "ami-1"), ("/events/", "ami-2")] {
        let body = json!({"Entries": [ami(id)]}).to_string();
        let response = world.api.send_undocumented(&signer.call(path, PUT_EVENTS, &body)).await;
        assert_eq!(codes(&response), [""], "{path}");
    }
    let request = ApiRequest::new("POST", "/events").token(&world.api.token("own1", Role::Member));
    let request = request.header("X-Amz-Target", PUT_EVENTS).json(&json!({"Entries": [ami("ami-3")]}));
    assert_eq!(codes(&world.api.send_undocumented(&request).await), [""]);
    assert_eq!(world.images("own1").await.len(), 3);
}

#[tokio::test]
async fn nobody_puts_events_for_an_account_of_another() {
    let world = Fixture::start().await;
    let before = world.images("own1").await;
    let own2 = world.signer("own2", Role::Member).await;
    let response = world.put(&own2, &[for_account(ami("ami-1"), ACCOUNT), ami("ami-2")]).await;
    assert_eq!((response.status, codes(&response)), (200, vec!["AccessDeniedException", ""]));
    assert_eq!((world.images("own1").await, world.images("own2").await.len()), (before, 1));

    let unbound = world.signer("str1", Role::Member).await;
    let reader = world.signer("own1", Role::Reader).await;
    for (signer, expected) in [(&unbound, "bound to no cloud account"), (&reader, "reader")] {
        let refused = world.put(signer, &[ami("ami-3"), for_account(ami("ami-4"), ACCOUNT)]).await;
        refused.expect_status(400);
        assert_eq!(refused.body["__type"], "AccessDeniedException");
        assert!(refused.body["message"].as_str().unwrap().contains(expected), "{refused:?}");
    }
    assert_eq!(world.images("own1").await.len(), 0);

    let admin = world.signer("ops", Role::Admin).await;
    let response = world.put(&admin, &[for_account(ami("ami-5"), ACCOUNT), ami("ami-6")]).await;
    assert_eq!(codes(&response), ["", "AccessDeniedException"], "an admin names the account");
    assert_eq!(world.images("own1").await.len(), 1);
}

#[tokio::test]
async fn request_without_a_valid_signature_is_refused() {
    let world = Fixture::start().await;
    let good = world.signer("own1", Role::Member).await;
    let body = json!({"Entries": [ami("ami-1")]}).to_string();
    let with = |change: fn(&mut AwsSigner)| {
        let mut signer = good.clone();
        change(&mut signer);
        signer.call("/events", PUT_EVENTS, &body)
    };
    let other_body = json!({"Entries": [ami("ami-2")]}).to_string();
    let disabled = world.signer("own1", Role::Member).await;
    let disable = ApiRequest::new("DELETE", format!("/v1/access-keys/{}", disabled.key_id));
    world.api.send(&disable.token(&world.api.token("own1", Role::Admin))).await.expect_status(204);
    for (request, expected) in [
        (with(|signer| signer.secret.push('x')), "InvalidSignatureException"),
        (with(|signer| signer.key_id = "AKIDEXAMPLE".to_owned()), "UnrecognizedClientException"),
        (with(|signer| signer.date -= Duration::from_hours(1)), "InvalidSignatureException"),
        (good.call("/events", PUT_EVENTS, &body).bytes(other_body), "InvalidSignatureException"),
        (disabled.call("/events", PUT_EVENTS, &body), "UnrecognizedClientException"),
        (
            good.call("/events", PUT_EVENTS, &body).header("x-amz-security-token", "t"),
            "IncompleteSignatureException",
        ),
        (
            ApiRequest::new("POST", "/events").header("X-Amz-Target", PUT_EVENTS).bytes(body.clone()),
            "MissingAuthenticationTokenException",
        ),
        (
            ApiRequest::new("POST", "/events")
                .token("no.token.here")
                .header("X-Amz-Target", PUT_EVENTS)
                .bytes(body.clone()),
            "UnrecognizedClientException",
        ),
    ] {
        let refused = world.api.send_undocumented(&request).await;
        refused.expect_status(400);
        assert_eq!(refused.body["__type"], expected, "{refused:?}");
        assert!(!refused.body["message"].as_str().unwrap().is_empty());
    }
    assert_eq!(world.images("own1").await.len(), 0);
}

#[tokio::test]
async fn hostile_put_events_is_refused_with_its_reason() {
    let world = Fixture::start().await;
    let signer = world.signer("own1", Role::Member).await;
    let call = |target: &str, body: &str| signer.call("/events", target, body);
    let entries = |count: usize| json!({"Entries": vec![ami("ami-1"); count]}).to_string();
    let large =
        json!({"Source": "a", "DetailType": "b", "Detail": json!({"x": "y".repeat(260_000)}).to_string()});
    for (request, expected) in [
        (call(PUT_EVENTS, ""), "SerializationException"),
        (call(PUT_EVENTS, "[]"), "SerializationException"),
        (call(PUT_EVENTS, "{\"Entries\":7}"), "SerializationException"),
        (call(PUT_EVENTS, &"[".repeat(100_000)), "SerializationException"),
        (call(PUT_EVENTS, &entries(0)), "ValidationException"),
        (call(PUT_EVENTS, &entries(11)), "ValidationException"),
        (call(PUT_EVENTS, &json!({"Entries": [large, large]}).to_string()), "ValidationException"),
        (call("AWSEvents.PutRule", "{}"), "UnknownOperationException"),
        (call("DynamoDB_20120810.Scan", "{}"), "UnknownOperationException"),
    ] {
        let refused = world.api.send_undocumented(&request).await;
        refused.expect_status(400);
        assert_eq!(refused.body["__type"], expected, "{refused:?}");
    }
    let too_large = call(PUT_EVENTS, &"x".repeat(1024 * 1024 + 1));
    world.api.send_undocumented(&too_large).await.expect_status(413);

    let mut own = ami("ami-1");
    own["Source"] = json!("imageshare");
    let mut detail = ami("ami-1");
    detail["Detail"] = json!("{\"ImageId\":\"i-1\",\"State\":\"available\"}");
    let mut ahead = ami("ami-1");
    ahead["Time"] = json!(253_402_300_000_u64);
    let response = world.put(&signer, &[own, detail, ahead, json!({}), ami("ami-9")]).await;
    assert_eq!(
        codes(&response),
        ["NotAuthorizedForSourceException", "InvalidArgument", "InvalidArgument", "InvalidArgument", ""]
    );
    assert_eq!(response.body["FailedEntryCount"], 4);
    let message = response.body["Entries"][1]["ErrorMessage"].as_str().unwrap();
    assert!(message.contains("detail.ImageId: expected"), "{message}");
    assert_eq!(world.images("own1").await.len(), 1);
}

#[tokio::test]
async fn only_an_admin_reads_the_bus() {
    let world = Fixture::start().await;
    for role in [Role::Member, Role::Reader] {
        world.read(role, "").await.expect_error(403, "IMG.0026");
    }
    let anonymous = world.api.send_undocumented(&ApiRequest::new("GET", "/events")).await;
    anonymous.expect_status(401);
    for query in ["?wait=21", "?limit=0", "?after=x", "?source=a"] {
        world.read(Role::Admin, query).await.expect_error(400, "IMG.0001");
    }
    let empty = world.read(Role::Admin, "").await;
    assert_eq!((&empty.body["events"], &empty.body["missed"]), (&json!([]), &json!(0)));
}

#[tokio::test]
async fn waiting_reader_sees_what_the_service_sends() {
    let world = Fixture::start().await;
    let start = world.read(Role::Admin, "").await;
    let next = start.body["next"].as_str().unwrap().to_owned();
    let query = format!("?after={next}&wait=20");
    let waiting = world.read(Role::Admin, &query);
    let register = async {
        let new = ApiRequest::new("POST", "/v2/images").token(&world.api.token("own1", Role::Member));
        world.api.send(&new.json(&json!({"name": "golden"}))).await.expect_status(201);
    };
    let (page, ()) = tokio::join!(waiting, register);
    let event = &page.body["events"][0];
    assert_eq!(
        (&event["source"], &event["detail-type"]),
        (&json!("imageshare"), &json!("Image Registered")),
        "{page:?}"
    );
    let later = page.body["next"].as_str().unwrap();
    let rest = world.read(Role::Admin, &format!("?after={later}")).await;
    assert_eq!(rest.body["missed"], 0);
}
