//! An entry of an EventBridge bus.

use serde_json::{Value, json};

use super::Detail;
use crate::domain::{Event, EventSubject, Timestamp};

/// The source of the service's own events.
pub const SOURCE: &str = "imageshare";

/// An entry of an EventBridge bus, with the fields of `PutEvents`.
#[derive(Debug, Clone, PartialEq)]
pub struct BusEntry {
    /// Who put it there.
    pub source: String,
    /// What happened, in words: `Share Offered`.
    pub detail_type: String,
    /// When it happened.
    pub time: Timestamp,
    /// What it is about, such as `imageshare:image/ID`.
    pub resources: Vec<String>,
    /// The event itself.
    pub detail: Value,
}

impl From<&Event> for BusEntry {
    fn from(event: &Event) -> Self {
        let resource = match &event.subject {
            EventSubject::Image(image) | EventSubject::Share { image, .. } => {
                format!("imageshare:image/{}", image.id)
            }
            EventSubject::Grant(grant, _) => format!("imageshare:key/{}", grant.key),
            EventSubject::Job { id, .. } => format!("imageshare:job/{id}"),
        };
        Self {
            source: SOURCE.to_owned(),
            detail_type: detail_type(event.kind.as_str()),
            time: event.at,
            resources: vec![resource],
            // A detail is text and numbers, which always have a JSON form.
            detail: serde_json::to_value(Detail::from(event)).unwrap_or_default(),
        }
    }
}

impl BusEntry {
    /// The entry as an argument of `PutEvents`, for that bus.
    pub(super) fn to_put_events(&self, bus: &str) -> Value {
        json!({
            "Source": self.source,
            "DetailType": self.detail_type,
            "Time": self.time.unix_seconds(),
            "Resources": self.resources,
            "Detail": self.detail.to_string(),
            "EventBusName": bus,
        })
    }
}

/// The kind in words: `share.offered` is `Share Offered`.
fn detail_type(kind: &str) -> String {
    let capitalised = kind.split('.').map(|word| {
        let (first, rest) = word.split_at(1.min(word.len()));
        first.to_ascii_uppercase() + rest
    });
    capitalised.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::EventKind;

    #[test]
    fn detail_type_is_the_kind_in_words() {
        assert_eq!(detail_type(EventKind::ShareOffered.as_str()), "Share Offered");
        for kind in EventKind::ALL {
            assert_eq!(detail_type(kind.as_str()).to_ascii_lowercase().replace(' ', "."), kind.as_str());
        }
    }
}
