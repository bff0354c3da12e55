//! The function `job-worker`: executes the jobs that the other functions have accepted.
//!
//! It has two triggers. The table's stream delivers each work item when it is written, so that the table is the queue;
//! a failed record is reported by its sequence number and delivered again. A schedule starts the sweep, which searches
//! for work items that were left open.

use std::time::Duration;

use aws_lambda_events::dynamodb::{Event as StreamEvent, EventRecord};
use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use futures_util::{StreamExt, stream};
use imageshare::App;
use imageshare::http::METRICS_TARGET;
use imageshare::store::{StoreError, WorkItemKey};
use imageshare::usecases::{SweepReport, execute, sweep};
use serde_json::Value;

/// How many work items are executed concurrently. They spend their time waiting for the table.
const MAX_CONCURRENT_ITEMS: usize = 4;

/// How long a sweep may take: less than the function's timeout of 60 seconds.
const SWEEP_TIMEOUT: Duration = Duration::from_secs(45);

/// Why an event was not handled. Lambda delivers it again.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The event is of an unknown kind.
    #[error("neither a DynamoDB stream event nor a schedule event: {0}")]
    UnknownEvent(#[from] serde_json::Error),
    /// The sweep cannot read the open work items.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Handles a DynamoDB stream event or an EventBridge schedule event.
///
/// Returns `{"batchItemFailures":[{"itemIdentifier":…}]}` for a stream event, with the first record that failed, if
/// any; and the sweep's report for a schedule event.
///
/// # Errors
/// [`WorkerError`] if the event as a whole fails. A failed record is not an error.
pub async fn handle(app: &App, event: Value) -> Result<Value, WorkerError> {
    let app = App { store: app.store.metered(), ..app.clone() };
    if event.get("source").and_then(Value::as_str) == Some("aws.events") {
        let swept = sweep(&app, app.clock().now().plus(SWEEP_TIMEOUT)).await?;
        log_sweep(&app, &swept);
        return Ok(serde_json::json!({
            "carriedOut": swept.executed,
            "givenUp": swept.failed,
            "left": swept.remaining,
            "unlistedShards": swept.unlisted_shards,
        }));
    }
    let event: StreamEvent = serde_json::from_value(event)?;
    Ok(serde_json::to_value(execute_records(&app, &event.records).await)?)
}

/// Logs a sweep, and nothing if it found nothing: it is made once a minute, whether or not the service is used.
fn log_sweep(app: &App, swept: &SweepReport) {
    if *swept == SweepReport::default() {
        return;
    }
    let used = app.store.usage();
    let age =
        swept.oldest.map(|oldest| app.clock().now().unix_seconds().saturating_sub(oldest.unix_seconds()));
    tracing::warn!(
        target: METRICS_TARGET,
        work_items = swept.executed,
        failed_work_items = swept.remaining,
        ended_work_items = swept.failed,
        unlisted_shards = swept.unlisted_shards,
        oldest_open_work_s = age,
        used.round_trips,
        used.read_units,
        used.write_units,
        "the sweep found unfinished work"
    );
}

async fn execute_records(app: &App, records: &[EventRecord]) -> DynamoDbEventResponse {
    let work_items: Vec<(usize, WorkItemKey)> =
        (0..).zip(records).filter_map(|(index, r)| Some((index, work_item_key(r)?))).collect();
    let work_item_count = work_items.len();
    let failures = stream::iter(work_items).map(|(index, key)| async move {
        let problem = execute(app, key).await.err()?;
        tracing::warn!(job = %key.job, work_item = key.number, %problem, "a work item failed");
        Some(index)
    });
    let failed: Vec<Option<usize>> = failures.buffer_unordered(MAX_CONCURRENT_ITEMS).collect().await;
    let failed: Vec<usize> = failed.into_iter().flatten().collect();
    let used = app.store.usage();
    tracing::debug!(
        target: METRICS_TARGET,
        work_items = work_item_count - failed.len(),
        failed_work_items = failed.len(),
        used.round_trips,
        used.read_units,
        used.write_units,
        "event handled"
    );
    let first = failed.into_iter().min();
    let mut response = DynamoDbEventResponse::default();
    if let Some(record) = first.and_then(|index| records.get(index)) {
        let mut failure = DynamoDbBatchItemFailure::default();
        failure.item_identifier.clone_from(&record.change.sequence_number);
        response.batch_item_failures.push(failure);
    }
    response
}

/// Returns the key of the work item that a record inserts; `None` for any other record.
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
