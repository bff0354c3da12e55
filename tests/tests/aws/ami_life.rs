//! The life of an AMI at a deployment: it becomes available, is shared by a rule, its recipient gets a message and accepts, its
//! owner gets the event, and it is deregistered.
//!
//! Everything comes and goes by EventBridge, as on AWS: what EC2 reports, by the default bus; what the owner follows, by a rule of
//! its own on the service's bus, with a queue as target.

use imageshare_tests::aws::Emulator;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep};

use super::client::{Client, JOB_TIMEOUT};

/// The account of the emulator, which it sets in every event.
const ACCOUNT: &str = "000000000000";

const AMI: &str = "ami-0123456789abcdef0";

/// A queue that gets the owner's events.
struct FollowedEvents<'a> {
    emulator: &'a Emulator,
    queue_url: String,
}

pub(crate) async fn ami_is_shared_from_available_to_deregistered(emulator: &Emulator, url: &str) {
    let (owner, guest) = (Client::new(url, "ami-owner"), Client::new(url, "ami-guest"));
    let entry = json!({"account": "Acme", "project": "images", "cloud_account": ACCOUNT});
    Client::admin(url).expect("PUT", "/v1/tenants/ami-owner", &entry).await;
    let rule = json!({
        "pattern": {"properties": {"ami_id": [{"prefix": "ami-"}]}},
        "recipients": {"projects": ["ami-guest"]},
    });
    owner.expect("PUT", "/v1/share-rules/amis", &rule).await;
    let followed = FollowedEvents::start(emulator, "ami-owner").await;

    report(emulator, "available").await;
    let offered = message(&guest, "share.offered").await;
    let image = offered["images"][0]["id"].as_str().expect("an image").to_owned();
    assert_eq!(offered["counterpart"]["project_id"], "ami-owner", "{offered}");
    guest.accept(&image).await;
    let accepted = followed.next("share.accepted").await;
    assert_eq!((&accepted["image"]["id"], &accepted["recipient"]), (&json!(image), &json!("ami-guest")));

    report(emulator, "deregistered").await;
    let withdrawn = message(&guest, "share.withdrawn").await;
    assert_eq!(withdrawn["images"][0]["id"], image.as_str(), "{withdrawn}");
    let (status, _) = owner.call(Method::GET, &format!("/v2/images/{image}"), None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    followed.stop().await;
}

/// Puts the event of EC2 on the default bus.
async fn report(emulator: &Emulator, state: &str) {
    let entry = json!({
        "Source": "aws.ec2",
        "DetailType": "EC2 AMI State Change",
        "Detail": json!({"RequestId": "1", "ImageId": AMI, "State": state}).to_string(),
    });
    let put = emulator.call("events", "put_events", &json!({ "Entries": [entry] })).await;
    assert_eq!(put["FailedEntryCount"], 0, "{put}");
}

/// Waits for a message of a kind.
async fn message(client: &Client, kind: &str) -> Value {
    wait_for(|| async {
        let (status, found) = client.call(Method::GET, "/v1/messages", None).await;
        assert_eq!(status, StatusCode::OK, "{found}");
        let messages = found["messages"].as_array().expect("messages");
        messages.iter().find(|message| message["kind"] == kind).cloned()
    })
    .await
}

impl<'a> FollowedEvents<'a> {
    /// Follows the events for an owner.
    async fn start(emulator: &'a Emulator, owner: &str) -> Self {
        let queue = emulator.call("sqs", "create_queue", &json!({"QueueName": "followed"})).await;
        let queue_url = queue["QueueUrl"].as_str().expect("a queue").to_owned();
        let names = json!({"QueueUrl": queue_url, "AttributeNames": ["QueueArn"]});
        let attributes = emulator.call("sqs", "get_queue_attributes", &names).await;
        let arn = &attributes["Attributes"]["QueueArn"];
        let pattern = json!({"source": ["imageshare"], "detail": {"tenant": [owner]}}).to_string();
        let rule = json!({"Name": "followed", "EventBusName": "imageshare", "EventPattern": pattern});
        emulator.call("events", "put_rule", &rule).await;
        let targets = [json!({"Id": "queue", "Arn": arn})];
        let targets = json!({"Rule": "followed", "EventBusName": "imageshare", "Targets": targets});
        emulator.call("events", "put_targets", &targets).await;
        Self { emulator, queue_url }
    }

    /// Waits for the next event of a kind, and returns its detail. Events before it are skipped.
    async fn next(&self, kind: &str) -> Value {
        wait_for(|| async {
            let received =
                self.emulator.call("sqs", "receive_message", &json!({"QueueUrl": self.queue_url})).await;
            let message = received["Messages"].get(0)?;
            let delete = json!({"QueueUrl": self.queue_url, "ReceiptHandle": message["ReceiptHandle"]});
            self.emulator.call("sqs", "delete_message", &delete).await;
            let event: Value = serde_json::from_str(message["Body"].as_str()?).expect("an event");
            (event["detail"]["kind"] == kind).then(|| event["detail"].clone())
        })
        .await
    }

    async fn stop(self) {
        let targets = json!({"Rule": "followed", "EventBusName": "imageshare", "Ids": ["queue"]});
        self.emulator.call("events", "remove_targets", &targets).await;
        let rule = json!({"Name": "followed", "EventBusName": "imageshare"});
        self.emulator.call("events", "delete_rule", &rule).await;
        self.emulator.call("sqs", "delete_queue", &json!({"QueueUrl": self.queue_url})).await;
    }
}

/// Waits until there is something.
async fn wait_for<F: Future<Output = Option<Value>>>(find: impl Fn() -> F) -> Value {
    let end = Instant::now() + JOB_TIMEOUT;
    loop {
        if let Some(found) = find().await {
            return found;
        }
        assert!(Instant::now() < end, "nothing came in {JOB_TIMEOUT:?}");
        sleep(Duration::from_millis(500)).await;
    }
}
