//! Builds the events that job-worker gets on AWS.

use std::ops::Range;

use imageshare::domain::Timestamp;
use imageshare::store::WorkItemKey;
use imageshare::table::AttributeValue;
use serde_json::{Map, Value, json};

use crate::TABLE;
use crate::gateway::ACCOUNT_ID;

/// The source of the events of an EventBridge schedule.
const SCHEDULE_SOURCE: &str = "aws.events";

/// Whether an event starts a sweep.
pub(crate) fn is_schedule_event(event: &Value) -> bool {
    event.get("source").and_then(Value::as_str) == Some(SCHEDULE_SOURCE)
}

/// Builds events, with increasing sequence numbers.
pub(super) struct EventBuilder {
    region: String,
    next_sequence_number: u64,
}

impl EventBuilder {
    pub(super) fn new(region: String) -> Self {
        Self { region, next_sequence_number: 1 }
    }

    /// Returns a DynamoDB stream event for the insertion of those work items, and the first record's sequence number.
    pub(super) fn insert_event(&mut self, work_items: &[WorkItemKey]) -> (Value, u64) {
        let first = self.next_sequence_number;
        let source = format!("arn:aws:dynamodb:{}:{ACCOUNT_ID}:table/{TABLE}/stream/local", self.region);
        let now = Timestamp::now().unix_seconds();
        let mut records = Vec::with_capacity(work_items.len());
        for work_item in work_items {
            let sequence = format_sequence_number(self.next_sequence_number);
            self.next_sequence_number += 1;
            records.push(json!({
                "eventID": format!("{:032x}", self.next_sequence_number),
                "eventName": "INSERT",
                "eventVersion": "1.1",
                "eventSource": "aws:dynamodb",
                "awsRegion": self.region,
                "dynamodb": {
                    "ApproximateCreationDateTime": now,
                    "Keys": key_attributes(*work_item),
                    "SequenceNumber": sequence,
                    "SizeBytes": 64,
                    "StreamViewType": "KEYS_ONLY",
                },
                "eventSourceARN": source,
            }));
        }
        (json!({ "Records": records }), first)
    }

    /// Returns the event of an EventBridge schedule.
    pub(super) fn schedule_event(&self) -> Value {
        json!({
            "version": "0",
            "id": uuid::Uuid::new_v4().to_string(),
            "detail-type": "Scheduled Event",
            "source": SCHEDULE_SOURCE,
            "account": ACCOUNT_ID,
            "time": Timestamp::now().to_iso_seconds(),
            "region": self.region,
            "resources": [format!("arn:aws:events:{}:{ACCOUNT_ID}:rule/{TABLE}-sweep", self.region)],
            "detail": {},
        })
    }
}

fn format_sequence_number(number: u64) -> String {
    format!("{number:021}")
}

fn key_attributes(work_item: WorkItemKey) -> Map<String, Value> {
    // The table's keys are strings.
    let text = |value: AttributeValue| match value {
        AttributeValue::S(text) => json!({ "S": text }),
        _ => Value::Null,
    };
    work_item.primary_key().into_iter().map(|(name, value)| (name, text(value))).collect()
}

/// Returns which records of a batch failed, from the function's response: the first one that it names; all of them if
/// that one is not in the batch; `None` if it names none. The function has not finished the records after it.
pub(super) fn failed_records(response: &Value, first: u64, records: usize) -> Option<Range<usize>> {
    let failure = response.get("batchItemFailures")?.get(0)?;
    let named =
        failure.get("itemIdentifier").and_then(Value::as_str).and_then(|text| text.parse::<u64>().ok());
    let index =
        named.and_then(|number| number.checked_sub(first)).and_then(|index| usize::try_from(index).ok());
    match index {
        Some(index) if index < records => Some(index..index + 1),
        _ => Some(0..records),
    }
}

#[cfg(test)]
mod tests {
    use imageshare::domain::{JobId, Stamp};

    use super::*;

    #[test]
    fn insert_event_names_the_work_items_of_a_batch() {
        let work_item = WorkItemKey { job: JobId(Stamp::now()), number: 3 };
        let mut events = EventBuilder::new("local".to_owned());
        events.insert_event(&[work_item]);
        let (event, first) = events.insert_event(&[work_item, work_item]);
        assert_eq!(first, 2);
        let record = &event["Records"][1];
        assert_eq!(record["eventName"], "INSERT");
        assert_eq!(record["dynamodb"]["SequenceNumber"], "000000000000000000003");
        let key = |name: &str| record["dynamodb"]["Keys"][name]["S"].as_str().unwrap();
        assert_eq!(WorkItemKey::parse(key("pk"), key("sk")), Some(work_item));
    }

    #[test]
    fn schedule_event_has_the_eventbridge_source() {
        assert_eq!(EventBuilder::new("local".to_owned()).schedule_event()["source"], "aws.events");
    }

    #[test]
    fn first_batch_item_failure_is_found() {
        let failed = |identifier: &str| json!({ "batchItemFailures": [{ "itemIdentifier": identifier }] });
        assert_eq!(failed_records(&json!({ "batchItemFailures": [] }), 7, 3), None);
        assert_eq!(failed_records(&Value::Null, 7, 3), None);
        assert_eq!(failed_records(&failed("000000000000000000008"), 7, 3), Some(1..2));
        for foreign in ["6", "10", "x", ""] {
            assert_eq!(failed_records(&failed(foreign), 7, 3), Some(0..3), "{foreign}");
        }
    }
}
