//! Records of the table's stream as the function `effects` gets them from Lambda.

use std::collections::HashMap;

use aws_sdk_dynamodbstreams::types::{AttributeValue, Record};
use imageshare::store::PARTITIONS_WITH_EFFECTS;
use serde_json::{Value, json};

/// The event of the records whose changes have effects, as the filter of the event source mapping decides on AWS; `None`
/// if there are none.
///
/// # Errors
/// An item cannot be written as JSON.
pub(super) fn event_of(records: &[Record]) -> Result<Option<Value>, serde_json::Error> {
    let records = records.iter().filter(|record| has_effects(record));
    let records = records.map(lambda_record).collect::<Result<Vec<_>, _>>()?;
    Ok((!records.is_empty()).then(|| json!({ "Records": records })))
}

/// The sequence number of the record that the function has failed at, by its response to the event of these records.
pub(super) fn failed_record(response: &Value, records: &[Record]) -> Option<String> {
    let failure = response.pointer("/batchItemFailures/0")?;
    let named = failure.get("itemIdentifier").and_then(Value::as_str);
    // If it names none, nothing was handled.
    let first = || records.first()?.dynamodb.as_ref()?.sequence_number.as_deref();
    named.or_else(first).map(str::to_owned)
}

fn has_effects(record: &Record) -> bool {
    let partition = || record.dynamodb.as_ref()?.keys.as_ref()?.get("pk")?.as_s().ok();
    partition().is_some_and(|pk| PARTITIONS_WITH_EFFECTS.iter().any(|prefix| pk.starts_with(prefix)))
}

fn lambda_record(record: &Record) -> Result<Value, serde_json::Error> {
    let change = record.dynamodb.as_ref();
    let mut dynamodb = json!({
        "ApproximateCreationDateTime":
            change.and_then(|change| change.approximate_creation_date_time).map(|at| at.as_secs_f64()),
        "SequenceNumber": change.and_then(|change| change.sequence_number.as_deref()),
        "SizeBytes": change.and_then(|change| change.size_bytes),
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    });
    let items = change.map(|change| {
        [("Keys", &change.keys), ("OldImage", &change.old_image), ("NewImage", &change.new_image)]
    });
    for (name, item) in items.into_iter().flatten() {
        if let (Some(item), Some(members)) = (item, dynamodb.as_object_mut()) {
            members.insert(name.to_owned(), item_json(item)?);
        }
    }
    Ok(json!({
        "eventID": record.event_id,
        "eventName": record.event_name.as_ref().map(|name| name.as_str()),
        "eventVersion": record.event_version,
        "eventSource": "aws:dynamodb",
        "awsRegion": record.aws_region.as_deref().unwrap_or_default(),
        "dynamodb": dynamodb,
    }))
}

fn item_json(item: &HashMap<String, AttributeValue>) -> Result<Value, serde_json::Error> {
    serde_json::to_value(serde_dynamo::Item::from(item.clone()))
}
