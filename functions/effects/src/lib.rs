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
use imageshare::usecases::{apply_share_rules, deliver_messages, derive_events, list_accepted_jobs};
use serde_json::Value;

/// Why an event as a whole was not handled. Lambda delivers it again.
#[derive(Debug, thiserror::Error)]
pub enum EffectsError {
    /// The event is of an unknown kind.
    #[error("not a DynamoDB stream event: {0}")]
    UnknownEvent(#[from] serde_json::Error),
}

/// Why a batch was not handled.
#[derive(Debug, thiserror::Error)]
enum BatchError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Publish(#[from] PublishError),
}

/// The record at which the stream has to continue, and why.
struct Failure<'a> {
    record: Option<&'a EventRecord>,
    problem: BatchError,
}

/// Handles a DynamoDB stream event: lists the accepted jobs and writes the messages of its changes, publishes their
/// events, then lets share rules act. Returns `{"batchItemFailures":[{"itemIdentifier":…}]}`, with the record at which the stream has to continue: the
/// first one if the table or the bus failed, or the one on which a share rule failed.
///
/// A record that cannot be read is logged and skipped, since it would never be readable.
///
/// # Errors
/// [`EffectsError`] if the event is not one of a stream.
pub async fn handle(app: &App, bus: &dyn Bus, event: Value) -> Result<Value, EffectsError> {
    let app = App { store: app.store.metered(), ..app.clone() };
    let event: StreamEvent = serde_json::from_value(event)?;
    let mut response = DynamoDbEventResponse::default();
    if let Err(Failure { record, problem }) = handle_records(&app, bus, &event.records).await {
        tracing::warn!(%problem, records = event.records.len(), "effects were not carried out; they are retried");
        let mut failure = DynamoDbBatchItemFailure::default();
        failure.item_identifier = record.and_then(|record| record.change.sequence_number.clone());
        response.batch_item_failures.push(failure);
    }
    Ok(serde_json::to_value(response)?)
}

async fn handle_records<'a>(app: &App, bus: &dyn Bus, records: &'a [EventRecord]) -> Result<(), Failure<'a>> {
    let readable = records.iter().filter_map(|record| Some((record, read_change(record)?)));
    let (records, changes): (Vec<_>, Vec<_>) = readable.unzip();
    if changes.is_empty() {
        return Ok(());
    }
    let events = publish_events(app, bus, &changes)
        .await
        .map_err(|problem| Failure { record: records.first().copied(), problem })?;
    for (record, change) in records.into_iter().zip(&changes) {
        apply_share_rules(app, change)
            .await
            .or_else(skip_unreadable)
            .map_err(|problem| Failure { record: Some(record), problem: problem.into() })?;
    }
    let used = app.store.usage();
    tracing::debug!(
        target: METRICS_TARGET,
        changes = changes.len(),
        events,
        used.round_trips,
        used.read_units,
        used.write_units,
        "effects carried out"
    );
    Ok(())
}

/// Writes what follows from changes, and publishes their events. Returns how many there are.
async fn publish_events(app: &App, bus: &dyn Bus, changes: &[ItemChange]) -> Result<usize, BatchError> {
    let events = match write_items(app, changes).await {
        Err(StoreError::Unreadable(_)) => write_items_one_by_one(app, changes).await?,
        result => result?,
    };
    let entries: Vec<BusEntry> = events.iter().map(BusEntry::from).collect();
    bus.publish(&entries).await?;
    Ok(entries.len())
}

/// Writes the messages of changes, and lists their accepted jobs. Returns their events.
async fn write_items(app: &App, changes: &[ItemChange]) -> Result<Vec<Event>, StoreError> {
    let events = derive_events(app, changes).await?;
    deliver_messages(app, &events).await?;
    list_accepted_jobs(app, changes).await?;
    Ok(events)
}

/// The same, one change after the other, without those that need an item which cannot be read: it would hold up all
/// changes after it, and never be readable.
async fn write_items_one_by_one(app: &App, changes: &[ItemChange]) -> Result<Vec<Event>, StoreError> {
    let mut events = Vec::new();
    for change in changes {
        match write_items(app, std::slice::from_ref(change)).await {
            Ok(mut more) => events.append(&mut more),
            Err(problem) => skip_unreadable(problem)?,
        }
    }
    Ok(events)
}

/// Logs that an item cannot be read.
///
/// # Errors
/// Any other failure of the table.
fn skip_unreadable(problem: StoreError) -> Result<(), StoreError> {
    let StoreError::Unreadable(attribute) = problem else { return Err(problem) };
    tracing::error!(attribute, "an item cannot be read; nothing follows from a change that needs it");
    Ok(())
}

/// Reads the changes of a DynamoDB stream event. One that cannot be read is logged and left out.
///
/// # Errors
/// [`EffectsError`] if the event is not one of a stream.
pub fn read_changes(event: Value) -> Result<Vec<ItemChange>, EffectsError> {
    let event: StreamEvent = serde_json::from_value(event)?;
    Ok(event.records.iter().filter_map(read_change).collect())
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
