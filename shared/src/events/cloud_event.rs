//! `CloudEvents` 1.0.2, as structured JSON.

use serde::Serialize;

use super::Detail;
use crate::domain::{Event, EventSubject};

/// A `CloudEvent`, whose data is a [`Detail`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CloudEvent {
    specversion: &'static str,
    id: String,
    source: String,
    #[serde(rename = "type")]
    event_type: String,
    subject: String,
    time: String,
    datacontenttype: &'static str,
    /// The extension *Sequence*, which is a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<String>,
    data: Detail,
}

impl CloudEvent {
    /// Renders an event of the deployment in that region.
    pub fn new(event: &Event, region: &str) -> Self {
        let detail = Detail::from(event);
        Self {
            specversion: "1.0",
            id: detail.id.clone(),
            source: format!("/imageshare/{region}"),
            event_type: format!("org.imageshare.{}.v1", event.kind),
            subject: match &event.subject {
                EventSubject::Image(image) | EventSubject::Share { image, .. } => image.id.to_string(),
                EventSubject::Grant(grant, _) => grant.key.to_string(),
                EventSubject::Job { id, .. } => id.to_string(),
            },
            time: detail.time.clone(),
            datacontenttype: "application/json",
            sequence: event.sequence.map(|sequence| format!("{sequence:020}")),
            data: detail,
        }
    }
}
