//! A journey through everything that the functions do to the table: each operation, and each case that reads or writes
//! something else. It is made with the functions' binaries, wherever they run.
//!
//! What it does is recorded and is what the functions may do (`infra/aws/permissions.json`). So a new call to the table
//! needs a step here. The steps assert little more than their status; other tests look at the responses.

mod console;
mod console_owner;
mod crashes;
mod credentials;
mod directory;
mod effects;
mod image_events;
mod images;
mod jobs;
mod lists;
mod members;
mod messages;
mod owners;
mod recording;
mod share_rules;
mod sharing;

use std::future::Future;

use aws_sdk_dynamodb::Client;
use imageshare::App;
use imageshare::store::{OPEN_SHARDS, WorkItemKey};
use imageshare::table::AttributeValue;
use imageshare_routes::Document;
use serde_json::{Value, json};

pub use self::recording::{RecordedRun, Recording, record_journey};
use crate::deployment::Deployment;
use crate::events::{HttpEvent, stream_event, stream_record};

/// The project whose callers are administrators.
const ADMIN: &str = "ops";

/// Where the functions run.
pub trait Stage {
    /// Runs a function on an event, and returns its response.
    fn invoke(&mut self, function: &str, event: &Value) -> impl Future<Output = Value>;

    /// The use cases on the functions' table, for what no function does.
    fn app(&self) -> &App;

    /// The table itself.
    fn client(&self) -> &Client;

    /// The region of the functions.
    fn region(&self) -> &'static str;
}

/// A journey on a stage.
pub struct Journey<S> {
    stage: S,
    document: Document,
    /// How many events there were: the time of the last one, in seconds.
    seconds: u32,
}

/// Makes every step of the journey, over an empty table.
pub async fn make_journey<S: Stage>(stage: S) -> S {
    let document = Document::load().expect("infra/openapi.yaml is an API document");
    let mut journey = Journey { stage, document, seconds: 0 };
    journey.use_documents().await;
    journey.use_directory().await;
    journey.use_images().await;
    journey.share_in_batches().await;
    journey.change_single_members().await;
    journey.change_members_by_minor_version().await;
    journey.change_permissions().await;
    journey.use_share_rules().await;
    journey.list_images().await;
    journey.run_jobs().await;
    journey.sweep_left_work().await;
    journey.recover_from_crashed_worker().await;
    journey.use_owner_policies().await;
    journey.use_credentials().await;
    journey.use_messages().await;
    journey.use_console().await;
    journey.follow_image_events().await;
    journey.carry_out_effects().await;
    journey.list_jobs().await;
    journey.stage
}

impl<S: Stage> Journey<S> {
    async fn use_documents(&mut self) {
        self.call("own1 GET /health", Value::Null, 200).await;
        self.call("own1 GET /ready", Value::Null, 200).await;
        for method in ["GET", "HEAD"] {
            for path in ["/openapi.yaml", "/openapi.json", "/docs"] {
                let event = HttpEvent::new(&format!("{method} {path}"), path);
                self.send("documents", event, 200).await;
            }
        }
    }

    /// Makes a request: `PROJECT METHOD TARGET`. Returns the JSON of the response.
    async fn call(&mut self, request: &str, body: Value, status: u64) -> Value {
        self.call_with("", request, body, status).await
    }

    /// The same with an `Idempotency-Key`, unless it is empty.
    async fn call_with(&mut self, key: &str, request: &str, body: Value, status: u64) -> Value {
        let mut words = request.splitn(3, ' ').map(str::to_owned);
        let mut next = || words.next().expect("PROJECT METHOD TARGET");
        let (project, method, target) = (next(), next(), next());
        let (function, event) = self.event(&method, &target);
        let role = if project == ADMIN { "admin" } else { "member" };
        let mut event = event.token(&Deployment::token(&project, role));
        if !key.is_empty() {
            event = event.header("idempotency-key", key);
        }
        event = match (method.as_str(), body) {
            (_, Value::Null) => event,
            ("PATCH", body) => event
                .header("content-type", "application/openstack-images-v2.1-json-patch")
                .text(&body.to_string()),
            (_, body) => event.json(&body),
        };
        let response = self.send(&function, event, status).await;
        serde_json::from_str(response["body"].as_str().unwrap_or_default()).unwrap_or_default()
    }

    /// Sends an event to a function. Returns the whole response.
    async fn send(&mut self, function: &str, event: HttpEvent, status: u64) -> Value {
        let response = self.stage.invoke(function, &event.build()).await;
        assert_eq!(response["statusCode"], status, "{function}: {event:?}\n{response}");
        response
    }

    /// The function of a request, and the event that it gets from the gateway.
    fn event(&self, method: &str, target: &str) -> (String, HttpEvent) {
        let path: Vec<&str> = target.split('?').next().unwrap_or_default().split('/').collect();
        let is_match = |template: &str| {
            let steps: Vec<&str> = template.split('/').collect();
            let mut pairs = steps.iter().zip(&path);
            let is_to_the_end = template.ends_with("+}") && steps.len() <= path.len();
            (is_to_the_end || steps.len() == path.len())
                && pairs.all(|(step, part)| step.starts_with('{') || step == part)
        };
        let mut routes = self.document.paths.iter().filter(|(template, _)| is_match(template));
        let found = routes.find_map(|(_, routes)| routes.iter().find(|route| route.method == method));
        match found {
            Some(route) => (route.function.clone(), HttpEvent::new(&route.key, target)),
            None => ("images".to_owned(), HttpEvent::without_route(method, target)),
        }
    }

    /// Registers an image and returns its id.
    async fn create_image(&mut self, owner: &str, details: Value) -> String {
        let image = self.call(&format!("{owner} POST /v2/images"), details, 201).await;
        image["id"].as_str().expect("an id").to_owned()
    }

    /// Registers an image of a whole server, whose backups need room in a vault.
    async fn create_full_ecs_image(&mut self, owner: &str) -> String {
        let details = json!({"__whole_image": "true", "__backup_id": "b", "__system_disk_backup_gib": "40"});
        self.create_image(owner, details).await
    }

    /// Registers an image under a key.
    async fn create_encrypted_image(&mut self, owner: &str, key: &str) -> String {
        self.create_image(owner, json!({"__system__cmkid": key})).await
    }

    /// Makes a batch request on members. On a slow machine it may become a job, which is then executed.
    async fn batch(&mut self, request: &str, body: Value, status: u64) -> Value {
        let response = self.request_batch(request, body, status).await;
        self.run_open_work().await;
        response
    }

    /// The same, and leaves the job open.
    async fn request_batch(&mut self, request: &str, body: Value, status: u64) -> Value {
        let (project, method) = request.split_once(' ').expect("PROJECT METHOD");
        self.call(&format!("{project} {method} /v1/cloudimages/members"), body, status).await
    }

    /// Runs job-worker for all open work, as the table's stream does.
    async fn run_open_work(&mut self) {
        loop {
            let open = self.open_work_items().await;
            if open.is_empty() {
                return;
            }
            let response = self.deliver(&open).await;
            assert_eq!(response, json!({"batchItemFailures": []}));
        }
    }

    async fn open_work_items(&self) -> Vec<WorkItemKey> {
        let mut open = Vec::new();
        for shard in 0..OPEN_SHARDS {
            let found = self.stage.app().store.open_work_items(shard, None, 100).await;
            open.extend(found.expect("the index"));
        }
        open
    }

    /// Runs job-worker for the insertion of some work items.
    async fn deliver(&mut self, work_items: &[WorkItemKey]) -> Value {
        let text = |value: &AttributeValue| json!({"S": value.as_s().expect("a text")});
        let records = work_items.iter().enumerate().map(|(index, key)| {
            let key = key.primary_key();
            stream_record(
                "INSERT",
                &index.to_string(),
                &json!({"pk": text(&key["pk"]), "sk": text(&key["sk"])}),
            )
        });
        let event = stream_event(&records.collect::<Vec<_>>());
        self.stage.invoke("job-worker", &event).await
    }
}
