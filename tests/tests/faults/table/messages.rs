//! The message to a caller when the table fails: whether the request may have changed something, in each dialect.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Config, Credentials, Region};
use aws_smithy_http_client::Builder as HttpBuilder;
use imageshare::domain::Timestamp;
use imageshare::function::HttpFunction;
use imageshare::table::{DynamoDb, Table, TableError};
use imageshare_tests::deployment::{Deployment, authenticator};
use imageshare_tests::events::HttpEvent;
use imageshare_tests::in_process::send_event;
use imageshare_tests::table_server::Fault::{self, LostResponse, NoResponse, Overloaded, Throttled};
use serde_json::json;

use super::{BATCH_GET_ITEM, PUT_ITEM, TRANSACT_WRITE_ITEMS, UNLIMITED, create_image};

const NO_CHANGE_MESSAGE: &str = "this request has changed nothing";
const IN_DOUBT_MESSAGE: &str = "may have been executed";

/// The maximum number of attempts of a case.
const MAX_ATTEMPTS: usize = 10;

/// The table operations of the service's reads.
const READ_OPERATIONS: [&str; 3] = ["GetItem", BATCH_GET_ITEM, "Query"];

/// A change in each dialect, with its name.
fn write_requests(image: &str) -> [(&'static str, HttpEvent); 4] {
    let batch = json!({"images": [image], "projects": ["a"]});
    let members = format!("/v2/images/{image}/members");
    let share = format!(
        "/?Action=ModifyImageSharePermission&Version=2014-05-26&RegionId=eu-west-1&ImageId={image}&AddAccount.1=a"
    );
    [
        ("IMS", HttpEvent::new("POST /v1/cloudimages/members", "/v1/cloudimages/members").json(&batch)),
        (
            "Glance",
            HttpEvent::new("POST /v2/images/{image_id}/members", &members).json(&json!({"member": "a"})),
        ),
        ("Alibaba", HttpEvent::new("POST /", &share)),
        ("register", HttpEvent::new("POST /v2/images", "/v2/images").json(&json!({"name": "golden"}))),
    ]
}

/// Sends a request whose function has one second. Returns the message of its 503.
async fn error_message(function: &HttpFunction, event: HttpEvent) -> String {
    let event = event.token(&Deployment::token("owner", "member"));
    let end = Timestamp::now().plus(Duration::from_secs(1));
    let response = send_event(function, &event, Some(end)).await;
    response.expect_status(503);
    assert_eq!(response.headers["retry-after"], "1");
    let message = response.body["error"]["message"].as_str().or(response.body["Message"].as_str());
    message.expect("a message").to_owned()
}

fn inject_fault(world: &Deployment, operations: &[&'static str], fault: Fault) {
    for operation in operations {
        world.table_server().fail(operation, fault, UNLIMITED);
    }
}

#[tokio::test]
async fn unanswered_write_is_reported_as_in_doubt() {
    let world = Deployment::start().await;
    let function = HttpFunction::new(world.service().clone(), authenticator());
    for (fault, words) in [
        (NoResponse, IN_DOUBT_MESSAGE),
        (LostResponse, IN_DOUBT_MESSAGE),
        (Throttled, NO_CHANGE_MESSAGE),
        (Overloaded, NO_CHANGE_MESSAGE),
    ] {
        for place in 0..4 {
            // On a slow machine the deadline may pass before the write is sent, or before its error arrives.
            let mut messages = Vec::new();
            while messages.len() < MAX_ATTEMPTS
                && !messages.iter().any(|message: &String| message.contains(words))
            {
                // Each attempt takes a new image: one for which something is queued would have to wait.
                let image = create_image(&world).await.to_string();
                let (_, event) = write_requests(&image)[place].clone();
                inject_fault(&world, &[PUT_ITEM, TRANSACT_WRITE_ITEMS], fault);
                messages.push(error_message(&function, event).await);
                world.table_server().clear_faults();
            }
            assert!(
                messages.iter().any(|message| message.contains(words)),
                "{place}, {fault:?}: {messages:?}"
            );
        }
    }
}

#[tokio::test]
async fn unanswered_read_is_reported_as_no_change() {
    let world = Deployment::start().await;
    let image = create_image(&world).await.to_string();
    let function = HttpFunction::new(world.service().clone(), authenticator());
    for fault in [NoResponse, Throttled] {
        inject_fault(&world, &READ_OPERATIONS, fault);
        let show = HttpEvent::new("GET /v2/images/{image_id}", &format!("/v2/images/{image}"));
        let mut requests = vec![("show", show)];
        requests.extend(write_requests(&image).into_iter().filter(|(dialect, _)| *dialect != "register"));
        for (name, event) in requests {
            let message = error_message(&function, event).await;
            assert!(message.contains(NO_CHANGE_MESSAGE), "{name}, {fault:?}: {message}");
        }
        world.table_server().clear_faults();
    }
}

#[tokio::test]
async fn unreachable_table_fails_as_not_sent() {
    let silent_listener =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("eu-west-1"))
        .credentials_provider(Credentials::from_keys("test", "test", None))
        .endpoint_url(format!("http://{}", silent_listener.expect("a free port")))
        .retry_config(RetryConfig::disabled())
        .http_client(HttpBuilder::new().build_http());
    let table = DynamoDb::new(Client::from_conf(config.build()), "imageshare");
    let failed = table.get_item(&imageshare::table::Key::default()).await;
    assert!(matches!(failed, Err(TableError::NotSent(_))), "{failed:?}");
}
