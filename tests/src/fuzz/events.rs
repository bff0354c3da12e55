//! The event decoder of the function `job-worker`. The input is the JSON of an event. The table is never available,
//! so every work item that the worker finds fails.
//!
//! The worker has to name the first record with a new work item, as found here from the JSON alone, or none if there
//! is none. An event of another kind is rejected.

use std::sync::{Arc, LazyLock};

use imageshare::domain::Limits;
use imageshare::store::{Store, WorkItemKey};
use imageshare::{App, Settings};
use job_worker::{WorkerError, handle};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::table::UnavailableTable;

struct Worker {
    runtime: Runtime,
    service: App,
}

static WORKER: LazyLock<Worker> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let settings = Settings {
        region: "local".to_owned(),
        public_url: None,
        directory_is_complete: false,
        limits: Limits::default(),
        waiting_reads: None,
    };
    let service = App {
        store: Store::new(UnavailableTable, imageshare::domain::Clock::for_function()),
        settings: Arc::new(settings),
    };
    Worker { runtime, service }
});

/// Sends an event to the worker.
pub fn run(input: &[u8]) -> bool {
    let Ok(event) = serde_json::from_slice::<Value>(input) else { return false };
    let response = WORKER.runtime.block_on(handle(&WORKER.service, event.clone()));
    match response {
        Ok(response) => {
            let named = first_work_item_record(&event).map(|record| json!({"itemIdentifier": record}));
            let expected = json!({"batchItemFailures": Vec::from_iter(named)});
            assert_eq!(response, expected, "{event}");
        }
        Err(WorkerError::Store(_)) => assert_eq!(event["source"], "aws.events"),
        Err(WorkerError::UnknownEvent(_)) => assert_ne!(event["source"], "aws.events"),
    }
    true
}

/// The sequence number of the first record with a new work item.
fn first_work_item_record(event: &Value) -> Option<&Value> {
    let records = event["Records"].as_array().into_iter().flatten();
    let key = |record: &Value, name: &str| Some(record["dynamodb"]["Keys"][name]["S"].as_str()?.to_owned());
    let is_new_item = |record: &&Value| {
        let key = key(record, "pk").zip(key(record, "sk"));
        record["eventName"] == "INSERT" && key.is_some_and(|(pk, sk)| WorkItemKey::parse(&pk, &sk).is_some())
    };
    records.filter(is_new_item).map(|record| &record["dynamodb"]["SequenceNumber"]).next()
}
