//! An entry of `PutEvents`, checked as EventBridge checks it.

use imageshare::domain::{CloudAccountId, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// The most bytes of all entries of a call, as EventBridge counts them.
pub(super) const MAX_BYTES: usize = 256 * 1024;

/// The longest source and detail type.
const MAX_SOURCE_CHARS: usize = 256;
const MAX_DETAIL_TYPE_CHARS: usize = 128;

/// The names of the one bus that there is.
const BUS_NAMES: [&str; 2] = ["default", "imageshare"];

/// An entry as it was sent. What EventBridge ignores is ignored here, too.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SentEntry {
    time: Option<Value>,
    source: Option<String>,
    #[serde(default)]
    resources: Option<Vec<String>>,
    detail_type: Option<String>,
    detail: Option<String>,
    event_bus_name: Option<String>,
}

/// Why an entry is refused: an error code, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EntryError {
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl EntryError {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    fn argument(name: &str, reason: &str) -> Self {
        Self::new("InvalidArgument", format!("Parameter {name} is not valid. Reason: {reason}"))
    }
}

/// An entry that can become an event.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) source: String,
    detail_type: String,
    time: Timestamp,
    resources: Vec<String>,
    detail: Map<String, Value>,
    /// The account whose bus the entry is for, if it names one.
    pub(super) account: Option<CloudAccountId>,
}

impl SentEntry {
    /// The bytes of an entry, as EventBridge counts them.
    pub(super) fn bytes(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let time = if self.time.is_some() { 14 } else { 0 };
        let resources = self.resources.iter().flatten().map(String::len).sum::<usize>();
        time + text(&self.source) + text(&self.detail_type) + text(&self.detail) + resources
    }

    /// Checks an entry that arrived at `now`.
    ///
    /// # Errors
    /// [`EntryError`] names the parameter.
    pub(super) fn check(self, now: Timestamp) -> Result<Entry, EntryError> {
        let source = required("Source", self.source, MAX_SOURCE_CHARS)?;
        let detail_type = required("DetailType", self.detail_type, MAX_DETAIL_TYPE_CHARS)?;
        let detail = self.detail.filter(|detail| !detail.is_empty());
        let detail =
            detail.ok_or_else(|| EntryError::argument("Detail", "Detail is a required argument."))?;
        let Ok(Value::Object(detail)) = serde_json::from_str(&detail) else {
            return Err(EntryError::new("MalformedDetail", "Detail is malformed."));
        };
        let time = match self.time {
            None | Some(Value::Null) => now,
            Some(sent) => parse_time(&sent)
                .ok_or_else(|| EntryError::argument("Time", "It has to be seconds since 1970, or a date."))?,
        };
        Ok(Entry {
            id: Uuid::new_v4().to_string(),
            source,
            detail_type,
            time,
            resources: self.resources.unwrap_or_default(),
            detail,
            account: self.event_bus_name.as_deref().map_or(Ok(None), parse_bus)?,
        })
    }
}

impl Entry {
    /// The event that a rule of EventBridge gets for the entry.
    pub(super) fn into_event(self, account: &CloudAccountId, region: &str) -> Value {
        json!({
            "version": "0",
            "id": self.id,
            "source": self.source,
            "detail-type": self.detail_type,
            "account": account.as_str(),
            "time": self.time.to_iso_seconds(),
            "region": region,
            "resources": self.resources,
            "detail": self.detail,
        })
    }
}

fn required(name: &str, sent: Option<String>, max_chars: usize) -> Result<String, EntryError> {
    let text = sent.filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| EntryError::argument(name, &format!("{name} is a required argument.")))?;
    if text.chars().count() > max_chars || text.chars().any(char::is_control) {
        return Err(EntryError::argument(name, &format!("It has at most {max_chars} printable characters.")));
    }
    Ok(text)
}

/// Parses a time of AWS's JSON protocol, seconds with or without a fraction; also a date, which people write.
fn parse_time(sent: &Value) -> Option<Timestamp> {
    /// The year 9999, so that the time has a form as text.
    const MAX_SECONDS: f64 = 253_402_300_799.0;
    if let Some(text) = sent.as_str() {
        return Timestamp::parse_iso(text);
    }
    let seconds = sent.as_f64().filter(|seconds| (0.0..=MAX_SECONDS).contains(seconds))?;
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
    let millis = (seconds * 1000.0) as i64;
    Some(Timestamp::from_unix_millis(millis))
}

/// Parses the name or the ARN of a bus. Returns the account of an ARN.
fn parse_bus(name: &str) -> Result<Option<CloudAccountId>, EntryError> {
    const REASON: &str = "It has to be default, imageshare, or the ARN of a bus of that name.";
    let malformed = || EntryError::argument("EventBusName", REASON);
    if BUS_NAMES.contains(&name) {
        return Ok(None);
    }
    let parts: Vec<_> = name.split(':').collect();
    match *parts.as_slice() {
        ["arn", _, "events", _, account, bus]
            if bus.strip_prefix("event-bus/").is_some_and(|bus| BUS_NAMES.contains(&bus)) =>
        {
            account.parse().map(Some).map_err(|_| malformed())
        }
        _ => Err(malformed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(entry: Value) -> Result<Entry, EntryError> {
        serde_json::from_value::<SentEntry>(entry).unwrap().check(Timestamp::from_unix_millis(1_000))
    }

    #[test]
    fn entry_becomes_an_event() {
        let sent = json!({"Source": "a", "DetailType": "b", "Detail": "{\"c\":1}", "Time": 1_800_000_000.5,
            "Resources": ["r"], "TraceHeader": "t"});
        let entry = check(sent).unwrap();
        let event = entry.into_event(&"123456789012".parse().unwrap(), "eu-west-1");
        assert_eq!((&event["time"], &event["region"]), (&json!("2027-01-15T08:00:00Z"), &json!("eu-west-1")));
        assert_eq!((&event["detail"], &event["resources"]), (&json!({"c": 1}), &json!(["r"])));
        let sent = json!({"Source": "a", "DetailType": "b", "Detail": "{}", "Time": "2026-11-30T12:00:00Z"});
        assert_eq!(check(sent).unwrap().time.to_iso_seconds(), "2026-11-30T12:00:00Z");
    }

    #[test]
    fn invalid_parameter_of_an_entry_is_named() {
        let good = json!({"Source": "a", "DetailType": "b", "Detail": "{}"});
        for (name, value, code, expected) in [
            ("Source", json!(null), "InvalidArgument", "Source is a required argument"),
            ("Source", json!("x".repeat(257)), "InvalidArgument", "Source is not valid"),
            ("DetailType", json!(""), "InvalidArgument", "DetailType is a required"),
            ("DetailType", json!("a\n"), "InvalidArgument", "DetailType is not valid"),
            ("Detail", json!(null), "InvalidArgument", "Detail is a required"),
            ("Detail", json!("[]"), "MalformedDetail", "Detail is malformed"),
            ("Detail", json!("{"), "MalformedDetail", "Detail is malformed"),
            ("Time", json!(-1), "InvalidArgument", "Time is not valid"),
            ("Time", json!(1e300), "InvalidArgument", "Time is not valid"),
            ("Time", json!("soon"), "InvalidArgument", "Time is not valid"),
            ("EventBusName", json!("other"), "InvalidArgument", "EventBusName is not valid"),
            (
                "EventBusName",
                json!("arn:aws:events:r:1:event-bus/default"),
                "InvalidArgument",
                "EventBusName",
            ),
        ] {
            let mut entry = good.clone();
            entry[name] = value;
            let error = check(entry).unwrap_err();
            assert!(error.code == code && error.message.contains(expected), "{name}: {error:?}");
        }
    }

    #[test]
    fn bus_of_an_account_is_named_by_its_arn() {
        for name in ["default", "imageshare"] {
            assert_eq!(parse_bus(name), Ok(None));
            let arn = format!("arn:aws:events:eu-west-1:123456789012:event-bus/{name}");
            assert_eq!(parse_bus(&arn).unwrap(), "123456789012".parse().ok());
        }
    }
}
