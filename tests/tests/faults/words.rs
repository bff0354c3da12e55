//! What a caller is told where the table fails: whether the request may have changed something, in each dialect.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Config, Credentials, Region};
use aws_smithy_http_client::Builder as HttpBuilder;
use imageshare::domain::Timestamp;
use imageshare::function::Function;
use imageshare::table::{DynamoDb, Failure, Table};
use imageshare_tests::events::HttpEvent;
use imageshare_tests::in_process::send;
use imageshare_tests::table_server::Fault::{self, LostAnswer, Overloaded, Silence, Throttled};
use imageshare_tests::world::{World, authenticator};
use serde_json::json;

use super::{BATCH_READ, FOR_EVER, PUT, TRANSACTION, image};

const UNCHANGED: &str = "this request has changed nothing";
const IN_DOUBT: &str = "may have been carried out";

/// How often a case is tried at most.
const ATTEMPTS: usize = 10;

/// The operations of the table that a read of the service is made with.
const READS: [&str; 3] = ["GetItem", BATCH_READ, "Query"];

/// A change of each dialect, and what it is called.
fn changes(image: &str) -> [(&'static str, HttpEvent); 4] {
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

/// Sends a request that Lambda ends in a second. Returns the message of its 503.
async fn message(function: &Function, event: HttpEvent) -> String {
    let event = event.token(&World::token("owner", "member"));
    let end = Timestamp::now().plus(Duration::from_secs(1));
    let answer = send(function, &event, Some(end)).await;
    assert_eq!((answer.status, answer.headers["retry-after"].as_str()), (503, "1"), "{answer:?}");
    let message = answer.body["error"]["message"].as_str().or(answer.body["Message"].as_str());
    message.expect("a message").to_owned()
}

fn fail(world: &World, operations: &[&'static str], fault: Fault) {
    for operation in operations {
        world.database().fail(operation, fault, FOR_EVER);
    }
}

#[tokio::test]
async fn write_that_was_not_answered_is_told_to_be_in_doubt() {
    let world = World::start().await;
    let function = Function::new(world.service().clone(), authenticator());
    for (fault, words) in
        [(Silence, IN_DOUBT), (LostAnswer, IN_DOUBT), (Throttled, UNCHANGED), (Overloaded, UNCHANGED)]
    {
        for place in 0..4 {
            // On a slow machine the time may end before the write is sent, or while its refusal is on the way.
            let mut told = Vec::new();
            while told.len() < ATTEMPTS && !told.iter().any(|said: &String| said.contains(words)) {
                // A new image each time: what was queued for one before would be waited for.
                let image = image(&world).await.to_string();
                let (_, event) = changes(&image)[place].clone();
                fail(&world, &[PUT, TRANSACTION], fault);
                told.push(message(&function, event).await);
                world.database().heal();
            }
            assert!(told.iter().any(|said| said.contains(words)), "{place}, {fault:?}: {told:?}");
        }
    }
}

#[tokio::test]
async fn read_that_was_not_answered_has_changed_nothing() {
    let world = World::start().await;
    let image = image(&world).await.to_string();
    let function = Function::new(world.service().clone(), authenticator());
    for fault in [Silence, Throttled] {
        fail(&world, &READS, fault);
        let show = HttpEvent::new("GET /v2/images/{image_id}", &format!("/v2/images/{image}"));
        let mut requests = vec![("show", show)];
        requests.extend(changes(&image).into_iter().filter(|(dialect, _)| *dialect != "register"));
        for (name, event) in requests {
            let said = message(&function, event).await;
            assert!(said.contains(UNCHANGED), "{name}, {fault:?}: {said}");
        }
        world.database().heal();
    }
}

#[tokio::test]
async fn table_that_cannot_be_reached_was_sent_nothing() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("eu-west-1"))
        .credentials_provider(Credentials::from_keys("test", "test", None))
        .endpoint_url(format!("http://{}", nobody.expect("a free port")))
        .retry_config(RetryConfig::disabled())
        .http_client(HttpBuilder::new().build_http());
    let table = DynamoDb::new(Client::from_conf(config.build()), "imageshare");
    let failed = table.get_item(&imageshare::table::Key::default()).await;
    assert!(matches!(failed, Err(Failure::NotSent(_))), "{failed:?}");
}
