//! Hands the changes of the embedded table to the function `effects`, in place of the table's stream.
//!
//! The function gets the same events as on AWS. A change stays in the database until the function has handled it, so
//! nothing that follows from it is lost when the process dies: the next start hands it over again.

use std::sync::Arc;
use std::time::Duration;

use imageshare::App;
use imageshare::events::Bus;
use imageshare::store::PARTITIONS_WITH_EFFECTS;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::TABLE;
use crate::functions::CURRENT_FUNCTION;
use crate::gateway::ACCOUNT_ID;
use crate::table::{Change, ChangeError, EmbeddedTable};

/// The most changes in one event, as in the event source mapping on AWS.
const MAX_BATCH: usize = 100;

/// How long a batch that has failed waits, at first and at most.
const INITIAL_BACKOFF: Duration = Duration::from_millis(250);
const MAX_BACKOFF: Duration = Duration::from_secs(30);

/// How often changes are looked for without a notification of one.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Hands over changes until `stop` is ready.
pub(crate) async fn run(
    table: &EmbeddedTable,
    app: App,
    bus: Arc<dyn Bus>,
    region: String,
    stop: impl Future<Output = ()>,
) {
    let notify = table.change_notify();
    let pump = async {
        let mut backoff = INITIAL_BACKOFF;
        loop {
            match hand_over(table, &app, &*bus, &region).await {
                Ok(false) => {
                    let _ = timeout(POLL_INTERVAL, notify.notified()).await;
                }
                Ok(true) => backoff = INITIAL_BACKOFF,
                Err(problem) => {
                    tracing::warn!(%problem, "changes were not handled; they are retried");
                    sleep(backoff).await;
                    backoff = (backoff * 2).min(MAX_BACKOFF);
                }
            }
        }
    };
    tokio::select! {
        () = stop => {}
        () = pump => {}
    }
}

/// Why a batch of changes was not handled.
#[derive(Debug, thiserror::Error)]
pub enum HandOverError {
    /// The changes cannot be read or removed.
    #[error(transparent)]
    Changes(#[from] ChangeError),
    /// The function has failed.
    #[error("{0}")]
    Function(String),
}

/// Changes that the function is to handle together.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The event of the table's stream that reports those of interest, if there are any.
    event: Option<Value>,
    last: i64,
}

impl Batch {
    /// The event of the table's stream, if it has a change that the function is to know of.
    pub fn event(&self) -> Option<&Value> {
        self.event.as_ref()
    }
}

/// Reads the oldest changes, if there are any.
///
/// # Errors
/// [`ChangeError`] if the table fails.
pub async fn next_batch(table: &EmbeddedTable, region: &str) -> Result<Option<Batch>, ChangeError> {
    let changes = table.changes(MAX_BATCH).await?;
    let Some(last) = changes.last().map(|change| change.number) else { return Ok(None) };
    let records: Vec<_> = changes.iter().filter_map(|change| read_record(change, region)).collect();
    let event = (!records.is_empty()).then(|| json!({ "Records": records }));
    Ok(Some(Batch { event, last }))
}

/// Has the function handle a batch. The changes stay where they are.
///
/// # Errors
/// The function has failed.
pub async fn handle(batch: &Batch, app: &App, bus: &dyn Bus) -> Result<(), HandOverError> {
    let Some(event) = batch.event.clone() else { return Ok(()) };
    let response = CURRENT_FUNCTION.scope("effects", effects::handle(app, bus, event)).await;
    let response = response.map_err(|problem| HandOverError::Function(problem.to_string()))?;
    let failures = response.get("batchItemFailures").and_then(Value::as_array);
    if failures.is_some_and(|failures| !failures.is_empty()) {
        return Err(HandOverError::Function("the function has failed; its log says why".to_owned()));
    }
    Ok(())
}

/// Removes the changes of a batch that was handled.
///
/// # Errors
/// [`ChangeError`] if the table fails.
pub async fn remove(table: &EmbeddedTable, batch: &Batch) -> Result<(), ChangeError> {
    table.remove_changes(batch.last).await
}

/// Hands over the oldest changes, and removes them once the function has handled them. Returns whether there were any.
///
/// # Errors
/// [`HandOverError`]; then they are still there.
pub async fn hand_over(
    table: &EmbeddedTable,
    app: &App,
    bus: &dyn Bus,
    region: &str,
) -> Result<bool, HandOverError> {
    let Some(batch) = next_batch(table, region).await? else { return Ok(false) };
    handle(&batch, app, bus).await?;
    remove(table, &batch).await?;
    Ok(true)
}

/// The record of a change, as the stream has it; `None` if the function is not to know of it. One that is no JSON is logged:
/// it would never be readable, and must not hold up the others.
fn read_record(change: &Change, region: &str) -> Option<Value> {
    record(change, region).unwrap_or_else(|problem| {
        tracing::error!(%problem, change = change.number, "a change cannot be read; nothing follows from it");
        None
    })
}

fn record(change: &Change, region: &str) -> Result<Option<Value>, serde_json::Error> {
    let keys: Value = serde_json::from_str(&change.keys)?;
    // As the filter of the event source mapping decides on AWS.
    let partition = keys.pointer("/pk/S").and_then(Value::as_str).unwrap_or_default();
    if !PARTITIONS_WITH_EFFECTS.iter().any(|prefix| partition.starts_with(prefix)) {
        return Ok(None);
    }
    let mut dynamodb = json!({
        "ApproximateCreationDateTime": change.made_at,
        "Keys": keys,
        "SequenceNumber": format!("{:021}", change.number),
        "SizeBytes": 64,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    });
    for (name, item) in [("OldImage", &change.old), ("NewImage", &change.new)] {
        if let (Some(fields), Some(item)) = (dynamodb.as_object_mut(), item) {
            fields.insert(name.to_owned(), serde_json::from_str(item)?);
        }
    }
    let source = format!("arn:aws:dynamodb:{region}:{ACCOUNT_ID}:table/{TABLE}/stream/local");
    Ok(Some(json!({
        "eventID": format!("{:032x}", change.number),
        "eventName": change.event_name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": region,
        "dynamodb": dynamodb,
        "eventSourceARN": source,
    })))
}
