//! The function `effects`: what follows from a change once it is stored.
//!
//! The table's stream delivers each change with the item before and after it, at least once and in order for each item.
//! So nothing that follows from a change can be lost, whatever dies in between, and the request that made the change
//! pays for none of it. An event that is published twice has the same id.

use aws_lambda_events::dynamodb::{Event as StreamEvent, EventRecord};
use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use imageshare::App;
use imageshare::domain::{Event, Timestamp};
use imageshare::events::{Bus, BusEntry, PublishError};
use imageshare::http::METRICS_TARGET;
use imageshare::store::{ItemChange, StoreError};
use imageshare::table::Item;
use imageshare::usecases::carry_out_effects;
use serde_json::Value;

/// Why an event as a whole was not handled. Lambda delivers it again.
#[derive(Debug, thiserror::Error)]
pub enum EffectsError {
    /// The event is of an unknown kind.
    #[error("not a DynamoDB stream event: {0}")]
    UnknownEvent(#[from] serde_json::Error),
}

/// Why the records of a batch were not handled.
#[derive(Debug, thiserror::Error)]
enum BatchError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Publish(#[from] PublishError),
}

/// Handles a DynamoDB stream event. Returns `{"batchItemFailures":[{"itemIdentifier":…}]}`, with the first record if the
/// table or the bus failed: then the whole batch is delivered again.
///
/// A record that cannot be read is logged and skipped, since it would never be readable.
///
/// # Errors
/// [`EffectsError`] if the event is not one of a stream.
pub async fn handle(app: &App, bus: &dyn Bus, event: Value) -> Result<Value, EffectsError> {
    let app = App { store: app.store.metered(), ..app.clone() };
    let event: StreamEvent = serde_json::from_value(event)?;
    let mut response = DynamoDbEventResponse::default();
    if let Err(problem) = handle_records(&app, bus, &event.records).await {
        tracing::warn!(%problem, records = event.records.len(), "effects were not carried out; they are retried");
        let mut failure = DynamoDbBatchItemFailure::default();
        let first = event.records.first();
        failure.item_identifier = first.and_then(|record| record.change.sequence_number.clone());
        response.batch_item_failures.push(failure);
    }
    Ok(serde_json::to_value(response)?)
}

async fn handle_records(app: &App, bus: &dyn Bus, records: &[EventRecord]) -> Result<(), BatchError> {
    let changes: Vec<_> = records.iter().filter_map(read_change).collect();
    if changes.is_empty() {
        return Ok(());
    }
    let events = match carry_out_effects(app, &changes).await {
        Err(StoreError::Unreadable(_)) => carry_out_one_by_one(app, &changes).await?,
        result => result?,
    };
    let entries: Vec<BusEntry> = events.iter().map(BusEntry::from).collect();
    bus.publish(&entries).await?;
    let used = app.store.usage();
    tracing::debug!(
        target: METRICS_TARGET,
        changes = changes.len(),
        events = entries.len(),
        used.round_trips,
        used.read_units,
        used.write_units,
        "effects carried out"
    );
    Ok(())
}

/// Carries out the effects of changes one after the other, without those that need an item which cannot be read: it would
/// hold up all changes after it, and never be readable.
async fn carry_out_one_by_one(app: &App, changes: &[ItemChange]) -> Result<Vec<Event>, StoreError> {
    let mut events = Vec::new();
    for change in changes {
        match carry_out_effects(app, std::slice::from_ref(change)).await {
            Ok(mut more) => events.append(&mut more),
            Err(StoreError::Unreadable(attribute)) => {
                tracing::error!(
                    attribute,
                    "an item cannot be read; nothing follows from a change that needs it"
                );
            }
            Err(problem) => return Err(problem),
        }
    }
    Ok(events)
}

/// Reads a record; `None` if nothing follows from it.
fn read_change(record: &EventRecord) -> Option<ItemChange> {
    let change = &record.change;
    // An item that the event does not have is one without attributes.
    let item = |item: &serde_dynamo::Item| (!item.is_empty()).then(|| Item::from(item.clone()));
    let at = Timestamp::from_unix_millis(change.approximate_creation_date_time.timestamp_millis());
    match ItemChange::parse(item(&change.old_image).as_ref(), item(&change.new_image).as_ref(), at) {
        Ok(change) => change,
        Err(problem) => {
            let sequence_number = change.sequence_number.as_deref();
            tracing::error!(%problem, sequence_number, "a change cannot be read; nothing follows from it");
            None
        }
    }
}
