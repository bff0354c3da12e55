//! How an event looks outside the service, and how it gets there.
//!
//! One inner form, the [`Detail`], is the same everywhere. Around it is what the receiver wants: an entry of an
//! EventBridge bus ([`BusEntry`]), or a `CloudEvent` 1.0 ([`CloudEvent`]). The schemas of all details are in `schemas/`.

mod bus_entry;
mod cloud_event;
mod detail;
mod event_bridge;

use std::future::Future;
use std::pin::Pin;

pub use self::bus_entry::{BusEntry, SOURCE};
pub use self::cloud_event::CloudEvent;
pub use self::detail::Detail;
pub use self::event_bridge::EventBridge;
use crate::domain::EventKind;

/// The entries could not be put on a bus, or not all of them. The message is for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("events could not be published: {0}")]
pub struct PublishError(pub String);

/// The pending result of [`Bus::publish`].
pub type Publishing<'a> = Pin<Box<dyn Future<Output = Result<(), PublishError>> + Send + 'a>>;

/// Where events are published.
pub trait Bus: Send + Sync {
    /// Puts entries on the bus, in order. After an error some of them may be there, and all are published again.
    fn publish<'a>(&'a self, entries: &'a [BusEntry]) -> Publishing<'a>;
}

/// No bus: nothing is published.
#[derive(Debug, Clone, Copy)]
pub struct NoBus;

impl Bus for NoBus {
    fn publish<'a>(&'a self, _: &'a [BusEntry]) -> Publishing<'a> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// The JSON Schema of the detail of an event.
pub fn detail_schema(kind: EventKind) -> &'static str {
    match kind {
        EventKind::ImageRegistered => include_str!("schemas/image.registered.json"),
        EventKind::ImageChanged => include_str!("schemas/image.changed.json"),
        EventKind::ImageRemoved => include_str!("schemas/image.removed.json"),
        EventKind::ShareOffered => include_str!("schemas/share.offered.json"),
        EventKind::ShareAccepted => include_str!("schemas/share.accepted.json"),
        EventKind::ShareRejected => include_str!("schemas/share.rejected.json"),
        EventKind::ShareWithdrawn => include_str!("schemas/share.withdrawn.json"),
        EventKind::GrantEnded => include_str!("schemas/grant.ended.json"),
        EventKind::JobEnded => include_str!("schemas/job.ended.json"),
    }
}
