//! The life of an AMI at a deployment: it becomes available, is shared by a rule, its recipient gets a message and accepts, its
//! owner gets the event, and it is deregistered.
//!
//! What a pipeline says of the AMI comes by a rule on the service's bus, and what the owner follows goes by another one, with a
//! queue as target. The emulator, like AWS, lets nobody put events in the name of EC2. So the function is invoked with those, as
//! EventBridge does it; that the rule on the default bus leads to the function, the module's tests check.

use imageshare::domain::Timestamp;
use imageshare_tests::aws::{Emulator, REGION};
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

    let described = json!({"ami_id": AMI, "region": REGION, "name": "golden"}).to_string();
    let entry = json!({
        "EventBusName": "imageshare",
        "Source": "imageshare.pipeline",
        "DetailType": "Image Registered",
        "Detail": described,
    });
    let put = emulator.call("events", "put_events", &json!({ "Entries": [entry] })).await;
    assert_eq!(put["FailedEntryCount"], 0, "{put}");
    report(emulator, "available").await;
    let offered = message(&guest, "share.offered").await;
    let image = offered["images"][0]["id"].as_str().expect("an image").to_owned();
    assert_eq!(offered["counterpart"]["project_id"], "ami-owner", "{offered}");
    assert_eq!(offered["image_count"], 1, "the pipeline and EC2 mean the same image: {offered}");
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

/// Invokes the function with an event of EC2.
async fn report(emulator: &Emulator, state: &str) {
    let event = json!({
        "version": "0",
        "id": "1",
        "detail-type": "EC2 AMI State Change",
        "source": "aws.ec2",
        "account": ACCOUNT,
        "time": Timestamp::now().to_iso_seconds(),
        "region": REGION,
        "resources": [format!("arn:aws:ec2:{REGION}::image/{AMI}")],
        "detail": {"RequestId": "1", "ImageId": AMI, "State": state, "ErrorMessage": ""},
    });
    let arguments = json!({
        "FunctionName": "imageshare-image-events",
        "InvocationType": "Event",
        "Payload": event.to_string(),
    });
    let accepted = emulator.call("lambda", "invoke", &arguments).await;
    assert_eq!(accepted["StatusCode"], 202, "{accepted}");
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
