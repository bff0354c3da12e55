//! The function `job-worker`: carries out what the other functions have accepted.
//!
//! It is invoked in two ways. The table's stream brings the pieces of a job as they are written, so that the table is the
//! queue; what fails is told back by its sequence number and comes again. A schedule brings nothing, and the worker
//! looks for pieces that were left lying.

use std::time::Duration;

use aws_lambda_events::dynamodb::{Event as StreamEvent, EventRecord};
use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use futures_util::{StreamExt, stream};
use imageshare::App;
use imageshare::store::{StoreError, WorkItemKey};
use imageshare::usecases::{SweepReport, execute, sweep};
use serde_json::Value;

/// Pieces carried out side by side: their time is spent waiting for the table.
const MAX_CONCURRENT_ITEMS: usize = 4;

/// How long a sweep may take: less than the function's time-out of 60 seconds.
const SWEEP_TIMEOUT: Duration = Duration::from_secs(45);

/// Why an event was not handled. The event comes again.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The event is none that this function knows.
    #[error("neither a DynamoDB stream event nor a schedule event: {0}")]
    UnknownEvent(#[from] serde_json::Error),
    /// The open pieces cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Handles a DynamoDB stream event or an EventBridge schedule event.
///
/// A stream event is answered with `{"batchItemFailures":[{"itemIdentifier":…}]}`, which names the first record that
/// failed; a schedule event with what the sweep did.
///
/// # Errors
/// [`WorkerError`] where nothing can be said of single records.
pub async fn handle(app: &App, event: Value) -> Result<Value, WorkerError> {
    let service = App { store: app.store.metered(), ..app.clone() };
    let answer = if event.get("source").and_then(Value::as_str) == Some("aws.events") {
        let swept = sweep(&service, service.clock().now().plus(SWEEP_TIMEOUT)).await?;
        if swept != SweepReport::default() {
            tracing::warn!(?swept, "swept");
        }
        serde_json::json!({
            "carriedOut": swept.executed,
            "givenUp": swept.failed,
            "left": swept.remaining,
            "unlistedShards": swept.unlisted_shards,
        })
    } else {
        let event: StreamEvent = serde_json::from_value(event)?;
        serde_json::to_value(execute_records(&service, &event.records).await)?
    };
    let used = service.store.usage();
    tracing::debug!(used.round_trips, used.read_units, used.write_units, "worked");
    Ok(answer)
}

async fn execute_records(app: &App, records: &[EventRecord]) -> DynamoDbEventResponse {
    let work_items: Vec<(usize, WorkItemKey)> =
        (0..).zip(records).filter_map(|(place, r)| Some((place, work_item_key(r)?))).collect();
    let failures = stream::iter(work_items).map(|(place, key)| async move {
        let problem = execute(app, key).await.err()?;
        tracing::warn!(job = %key.job, piece = key.number, %problem, "a piece failed");
        Some(place)
    });
    let failed: Vec<Option<usize>> = failures.buffer_unordered(MAX_CONCURRENT_ITEMS).collect().await;
    let first = failed.into_iter().flatten().min();
    let mut response = DynamoDbEventResponse::default();
    if let Some(record) = first.and_then(|place| records.get(place)) {
        let mut failure = DynamoDbBatchItemFailure::default();
        failure.item_identifier.clone_from(&record.change.sequence_number);
        response.batch_item_failures.push(failure);
    }
    response
}

/// The piece that a record tells of, if it tells of a new one.
fn work_item_key(record: &EventRecord) -> Option<WorkItemKey> {
    let key = |name: &str| match record.change.keys.get(name) {
        Some(serde_dynamo::AttributeValue::S(text)) => Some(text.as_str()),
        _ => None,
    };
    if record.event_name != "INSERT" {
        return None;
    }
    WorkItemKey::parse(key("pk")?, key("sk")?)
}
