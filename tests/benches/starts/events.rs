//! An event for each function, such as its callers send most, and what has to be in the table for it.

use std::time::{Duration, Instant};

use imageshare_tests::deployment::Deployment;
use imageshare_tests::events::{HttpEvent, schedule_event, stream_event};
use imageshare_tests::lambda_process::LambdaProcess;
use serde_json::{Value, json};

/// The most starts of a function: an image is shared with a project for each.
pub const MAX_STARTS: usize = 100;

const MEMBERS: &str = "/v1/cloudimages/members";
const OWNER: &str = "owner";

/// Few enough for a job to be done when its request is answered.
const PROJECTS_AT_ONCE: usize = 10;

/// An image that is shared with a project for each start, and the job that shared it.
pub struct Fixture {
    image: String,
    job: String,
    recipients: Vec<String>,
    /// The records of the table's stream since the last fixture.
    changes: Vec<Value>,
}

impl Fixture {
    /// Registers an image and shares it, with these functions. `round` tells its recipients from those of others.
    pub async fn new(
        deployment: &Deployment,
        images: &mut LambdaProcess,
        share: &mut LambdaProcess,
        starts: usize,
        round: u32,
    ) -> Self {
        let recipients: Vec<_> = (0..starts).map(|number| format!("recipient-{round}-{number}")).collect();
        let new = HttpEvent::new("POST /v2/images", "/v2/images").json(&json!({"name": "golden"}));
        let new = new.token(&Deployment::token(OWNER, "member")).build();
        let image = member_of(&images.invoke(&new).await.expect("an image"), "id");
        let mut job = String::new();
        for projects in recipients.chunks(PROJECTS_AT_ONCE) {
            let event = members("POST", OWNER, &json!({"images": [image], "projects": projects})).build();
            job = member_of(&share.invoke(&event).await.expect("a job"), "job_id");
        }
        let changes = deployment.take_changes().await.unwrap_or_default();
        let changes = changes["Records"].as_array().cloned().unwrap_or_default();
        Self { image, job, recipients, changes }
    }

    /// The event for a start of a function.
    fn event(&self, function: &str, number: usize) -> Value {
        let (image, recipient) = (&self.image, &self.recipients[number]);
        let event = match function {
            "console" => {
                let cookie = format!("__Host-imageshare={}", Deployment::token(recipient, "reader"));
                HttpEvent::new("GET /console/{page+}", "/console/shared").header("cookie", &cookie)
            }
            "documents" => HttpEvent::new("GET /health", "/health"),
            // Without a bus: the share's message is written, and nothing published.
            "effects" => {
                let is_share = |record: &&Value| {
                    let key = record["dynamodb"]["Keys"]["sk"]["S"].as_str().unwrap_or_default();
                    key.ends_with(&format!("#{recipient}"))
                };
                let share = self.changes.iter().find(is_share).expect("the change of a membership");
                return stream_event(std::slice::from_ref(share));
            }
            "identity" => read("GET /v1/access-keys", "/v1/access-keys", OWNER),
            // Of an account that is bound to no tenant: the read of the account is what a start needs.
            "image-events" => {
                return json!({
                    "version": "0",
                    "id": "6f1c2a34-5b6d-4e7f-8091-a2b3c4d5e6f7",
                    "detail-type": "EC2 AMI State Change",
                    "source": "aws.ec2",
                    "account": "012345678901",
                    "time": "2026-01-01T00:00:00Z",
                    "region": "eu-west-1",
                    "resources": [],
                    "detail": {"ImageId": "ami-1", "State": "available"},
                });
            }
            "images" => {
                let list = "/v2/cloudimages?__imagetype=shared&member_status=pending";
                read("GET /v2/cloudimages", list, recipient)
            }
            "job-status" => {
                let target = format!("/v1/{OWNER}/jobs/{}", self.job);
                read("GET /v1/{project_id}/jobs/{job_id}", &target, OWNER)
            }
            "job-worker" => return schedule_event(),
            "messages" => read("GET /v1/messages", "/v1/messages", recipient),
            "permission" => {
                let action = "Action=ModifyImagePermission&Version=2020-09-30&RegionId=eu-west-1";
                let target = format!("/?{action}&AddAccount.1=account-of-{recipient}&ImageId={image}");
                HttpEvent::new("POST /", &target).token(&Deployment::token(OWNER, "member"))
            }
            "registry" => read("GET /v1/vaults", "/v1/vaults", OWNER),
            "respond" => {
                let decision = json!({"images": [image], "project_id": recipient, "status": "accepted"});
                members("PUT", recipient, &decision)
            }
            "share-rules" => read("GET /v1/share-rules", "/v1/share-rules", OWNER),
            "share" => {
                let projects = [format!("another-{recipient}")];
                members("POST", OWNER, &json!({"images": [image], "projects": projects}))
            }
            "unshare" => members("DELETE", OWNER, &json!({"images": [image], "projects": [recipient]})),
            other => panic!("the function {other} needs an event here"),
        };
        event.build()
    }
}

/// A member of the JSON body of a response.
fn member_of(response: &Value, name: &str) -> String {
    let body: Value = serde_json::from_str(response["body"].as_str().unwrap_or_default()).unwrap_or_default();
    body[name].as_str().unwrap_or_else(|| panic!("no {name}: {response}")).to_owned()
}

/// A batch call of a project.
fn members(method: &str, project: &str, body: &Value) -> HttpEvent {
    let event = HttpEvent::new(&format!("{method} {MEMBERS}"), MEMBERS).json(body);
    event.token(&Deployment::token(project, "member"))
}

/// A project's call that reads.
fn read(route: &str, target: &str, project: &str) -> HttpEvent {
    HttpEvent::new(route, target).token(&Deployment::token(project, "reader"))
}

/// Invokes a function for the first time, which has to succeed. Returns how long it took, and the CPU time.
pub async fn invoke(
    process: &mut LambdaProcess,
    function: &str,
    fixture: &Fixture,
    number: usize,
) -> (Duration, Duration) {
    let event = fixture.event(function, number);
    let (begun, cpu_before) = (Instant::now(), process.cpu_time());
    let response = process.invoke(&event).await;
    let (took, cpu) = (begun.elapsed(), process.cpu_time().saturating_sub(cpu_before));
    let response = response.unwrap_or_else(|problem| panic!("{function}: {problem}"));
    let failed = response["statusCode"].as_u64().is_some_and(|status| status >= 300);
    assert!(!failed, "{function}: {response}");
    (took, cpu)
}
