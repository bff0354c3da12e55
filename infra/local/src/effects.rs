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
                Ok(0) => {
                    let _ = timeout(POLL_INTERVAL, notify.notified()).await;
                }
                Ok(_) => backoff = INITIAL_BACKOFF,
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
enum HandOverError {
    #[error(transparent)]
    Changes(#[from] ChangeError),
    #[error("{0}")]
    Function(String),
}

/// Hands over the oldest changes. Returns how many there were.
async fn hand_over(
    table: &EmbeddedTable,
    app: &App,
    bus: &dyn Bus,
    region: &str,
) -> Result<usize, HandOverError> {
    let changes = table.changes(MAX_BATCH).await?;
    let Some(last) = changes.last().map(|change| change.number) else { return Ok(0) };
    let count = changes.len();
    let records: Vec<_> =
        changes.into_iter().filter(is_of_interest).map(|change| record(change, region)).collect();
    if !records.is_empty() {
        let handled = effects::handle(app, bus, json!({ "Records": records }));
        let response = CURRENT_FUNCTION.scope("effects", handled).await;
        let response = response.map_err(|problem| HandOverError::Function(problem.to_string()))?;
        let failures = response.get("batchItemFailures").and_then(Value::as_array);
        if failures.is_some_and(|failures| !failures.is_empty()) {
            return Err(HandOverError::Function("the function has failed; its log says why".to_owned()));
        }
    }
    table.remove_changes(last).await?;
    Ok(count)
}

/// Whether the function is to know of a change, as the filter of the event source mapping decides on AWS.
fn is_of_interest(change: &Change) -> bool {
    let partition = change.keys.pointer("/pk/S").and_then(Value::as_str).unwrap_or_default();
    PARTITIONS_WITH_EFFECTS.iter().any(|prefix| partition.starts_with(prefix))
}

fn record(change: Change, region: &str) -> Value {
    let source = format!("arn:aws:dynamodb:{region}:{ACCOUNT_ID}:table/{TABLE}/stream/local");
    let mut dynamodb = json!({
        "ApproximateCreationDateTime": change.made_at,
        "Keys": change.keys,
        "SequenceNumber": format!("{:021}", change.number),
        "SizeBytes": 64,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    });
    if let Some(fields) = dynamodb.as_object_mut() {
        fields.extend(change.old.map(|item| ("OldImage".to_owned(), item)));
        fields.extend(change.new.map(|item| ("NewImage".to_owned(), item)));
    }
    json!({
        "eventID": format!("{:032x}", change.number),
        "eventName": change.event_name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": region,
        "dynamodb": dynamodb,
        "eventSourceARN": source,
    })
}
