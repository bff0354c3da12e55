//! Publishes on a bus of Amazon EventBridge, by `PutEvents`.

use serde_json::{Value, json};

use super::{Bus, BusEntry, PublishError, Publishing};
use crate::auth::AwsService;

/// The most entries that one call takes.
const MAX_ENTRIES: usize = 10;

/// How often entries that EventBridge did not take are put again.
const MAX_ATTEMPTS: usize = 3;

/// A bus of EventBridge.
#[derive(Debug)]
pub struct EventBridge {
    service: AwsService,
    bus: String,
}

impl EventBridge {
    /// The bus with that name or ARN.
    pub fn new(service: AwsService, bus: String) -> Self {
        Self { service, bus }
    }

    /// Puts up to ten entries. Returns those that EventBridge did not take.
    async fn put<'a>(&self, entries: &[&'a BusEntry]) -> Result<Vec<&'a BusEntry>, PublishError> {
        let arguments: Vec<_> = entries.iter().map(|entry| entry.to_put_events(&self.bus)).collect();
        let called = self.service.call("AWSEvents.PutEvents", &json!({ "Entries": arguments })).await;
        let response = called.map_err(PublishError)?;
        if response.status != 200 {
            let code = response.body.get("__type").and_then(Value::as_str).unwrap_or_default();
            let message = response.body.get("message").and_then(Value::as_str).unwrap_or_default();
            return Err(PublishError(format!("EventBridge answered {} {code}: {message}", response.status)));
        }
        refused_entries(entries, &response.body)
    }
}

/// The entries that EventBridge did not take, by its response: it has a result for each, in their order.
///
/// # Errors
/// [`PublishError`] if there is not one result for each: it is unknown then which were taken.
fn refused_entries<'a>(entries: &[&'a BusEntry], body: &Value) -> Result<Vec<&'a BusEntry>, PublishError> {
    let results = body.get("Entries").and_then(Value::as_array);
    let Some(results) = results.filter(|results| results.len() == entries.len()) else {
        return Err(PublishError("EventBridge answered without a result for each event".to_owned()));
    };
    let is_refused = |result: &Value| {
        let code = result.get("ErrorCode").and_then(Value::as_str);
        if let Some(code) = code {
            tracing::warn!(code, "EventBridge did not take an event");
        }
        code.is_some()
    };
    let refused = entries.iter().zip(results).filter(|(_, result)| is_refused(result));
    Ok(refused.map(|(entry, _)| *entry).collect())
}

impl Bus for EventBridge {
    fn publish<'a>(&'a self, entries: &'a [BusEntry]) -> Publishing<'a> {
        Box::pin(async move {
            for entries in entries.chunks(MAX_ENTRIES) {
                let mut left: Vec<_> = entries.iter().collect();
                for _ in 0..MAX_ATTEMPTS {
                    if !left.is_empty() {
                        left = self.put(&left).await?;
                    }
                }
                if !left.is_empty() {
                    return Err(PublishError(format!("EventBridge did not take {} events", left.len())));
                }
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;

    fn entry(detail: u32) -> BusEntry {
        BusEntry {
            source: "imageshare".to_owned(),
            detail_type: "Share Offered".to_owned(),
            time: Timestamp::from_unix_millis(0),
            resources: Vec::new(),
            detail: json!(detail),
        }
    }

    #[test]
    fn entry_counts_as_taken_only_by_its_own_result() {
        let (first, second) = (entry(1), entry(2));
        let refused = |body: Value| refused_entries(&[&first, &second], &body);
        let taken = json!({"EventId": "1"});
        assert_eq!(refused(json!({"Entries": [taken, taken]})), Ok(Vec::new()));
        let failed = json!({"ErrorCode": "InternalFailure"});
        assert_eq!(refused(json!({"Entries": [taken, failed]})), Ok(vec![&second]));
        for body in [json!(null), json!({}), json!({"Entries": []}), json!({"Entries": [taken]})] {
            assert!(refused(body.clone()).is_err(), "{body}");
        }
    }
}
