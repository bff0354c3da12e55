//! The inner form of an event: what its audience may know, and nothing else.

use serde::{Deserialize, Serialize};

use crate::domain::{Event, EventImage, EventSubject};

/// An event as its receiver reads it. A field that an event does not have is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detail {
    /// The event's id. Whoever receives an id twice has received an event twice.
    pub id: String,
    /// What happened, such as `share.offered`.
    pub kind: String,
    /// When it happened, in ISO 8601 with milliseconds.
    pub time: String,
    /// The tenant that the event is for.
    pub tenant: String,
    /// The side that it is on: `owner` or `recipient`.
    pub audience: String,
    /// Orders the events of an image, or of a share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// The id of the request, which is that of its job if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageDetail>,
    /// The tenant that the image is shared with, or that could use the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// The status of a share: `pending`, `accepted` or `rejected`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Why a share has ended: `unshared` or `image_removed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The key of a grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyDetail>,
    /// The job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobDetail>,
}

/// An image in a [`Detail`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageDetail {
    /// Its id.
    pub id: String,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The tenant that owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// A key in a [`Detail`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyDetail {
    /// Its id.
    pub id: String,
    /// The tenant that owns it.
    pub owner: String,
}

/// A job in a [`Detail`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobDetail {
    /// Its id.
    pub id: String,
    /// What it did: `share`, `unshare`, `accept`, `reject` or `reset`, which takes a decision back.
    pub task: String,
    /// `SUCCESS`, or `FAIL` if a pair has failed.
    pub status: String,
    /// The number of its pairs.
    pub pairs: usize,
    /// The number of those that have failed.
    pub failed: usize,
}

impl From<&EventImage> for ImageDetail {
    fn from(image: &EventImage) -> Self {
        Self {
            id: image.id.to_string(),
            name: image.name.clone(),
            owner: image.owner.as_ref().map(ToString::to_string),
        }
    }
}

impl From<&Event> for Detail {
    fn from(event: &Event) -> Self {
        let base = Self {
            id: event.id().to_string(),
            kind: event.kind.to_string(),
            time: event.at.to_iso_millis(),
            tenant: event.tenant.to_string(),
            audience: event.audience.to_string(),
            sequence: event.sequence,
            request: event.request.map(|stamp| stamp.to_string()),
            image: None,
            recipient: None,
            status: None,
            reason: None,
            key: None,
            job: None,
        };
        match &event.subject {
            EventSubject::Image(image) => Self { image: Some(image.into()), ..base },
            EventSubject::Share { image, recipient, status, reason, is_decision: _ } => Self {
                image: Some(image.into()),
                recipient: Some(recipient.to_string()),
                status: status.map(|status| status.to_string()),
                reason: reason.map(|reason| reason.to_string()),
                ..base
            },
            EventSubject::Grant(grant, _) => Self {
                key: Some(KeyDetail { id: grant.key.to_string(), owner: grant.owner.to_string() }),
                recipient: Some(grant.tenant.to_string()),
                ..base
            },
            EventSubject::Job { id, task, pairs, failed } => Self {
                job: Some(JobDetail {
                    id: id.to_string(),
                    task: (*task).to_owned(),
                    status: if *failed == 0 { "SUCCESS" } else { "FAIL" }.to_owned(),
                    pairs: *pairs,
                    failed: *failed,
                }),
                ..base
            },
        }
    }
}
