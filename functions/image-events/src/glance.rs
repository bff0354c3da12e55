//! `image.activate` and `image.delete` of OpenStack's Glance, as oslo.messaging emits them, put on the bus by a bridge: the
//! notification is the event's detail, with or without the envelope of oslo.messaging's version 2.
//!
//! The image keeps its id. Only images of the tenant that the event's account is bound to are believed: a bridge that
//! forwards everything puts each tenant's notifications into that tenant's account. Other notifications are ignored.

use std::borrow::Cow;

use imageshare::domain::{Details, ID_FORMAT, ImageId, TenantId, Visibility, is_reserved_property};
use imageshare::usecases::{CloudImage, CloudState};
use serde_json::Value;

use crate::envelope::Envelope;
use crate::fields::{Fields, malformed};
use crate::{Detail, EventError};

pub const SOURCE: &str = "openstack.glance";

/// The member of oslo.messaging's envelope that has the notification, as a text.
const OSLO_MESSAGE: &str = "oslo.message";

/// `{"event_type":"image.activate","payload":{"id":…,"owner":…,…}}` in.
pub fn parse(event: &Envelope<'_>, tenant: &TenantId) -> Result<Detail, EventError> {
    let notification = open_envelope(&event.detail)?;
    let notification = match &notification {
        None => event.detail.clone(),
        Some(message) => {
            let name = event.detail.path(OSLO_MESSAGE);
            Fields::new(message, name.clone()).ok_or_else(|| malformed(name, "an object"))?
        }
    };
    let state = match notification.text("event_type", 255, "the type of a notification")? {
        "image.activate" => CloudState::Available,
        "image.delete" => CloudState::Gone,
        _ => return Ok(Detail::Ignored("its type changes nothing here")),
    };
    let payload = notification.object("payload")?;
    let id: ImageId = payload.parsed("id", ID_FORMAT)?;
    if payload.text("owner", 255, "the id of a project")? != tenant.as_str() {
        return Ok(Detail::Ignored("the image belongs to another project than its account's"));
    }
    let visibility = payload.optional_text("visibility").and_then(|text| text.parse().ok());
    let details = if state == CloudState::Available { Some(details(&payload)?) } else { None };
    Ok(Detail::Images(vec![CloudImage {
        id,
        state,
        at: event.at,
        visibility: visibility.filter(|shown| *shown == Visibility::Private).unwrap_or(Visibility::Shared),
        default_name: None,
        origin: [("cloud_account".to_owned(), event.account()?.to_string())].into(),
        details,
    }]))
}

/// The notification in oslo.messaging's envelope; `None` if there is no envelope.
fn open_envelope<'a>(detail: &Fields<'a>) -> Result<Option<Cow<'a, Value>>, EventError> {
    match detail.value(OSLO_MESSAGE) {
        Value::Null => Ok(None),
        Value::String(text) => match serde_json::from_str(text) {
            Ok(message) => Ok(Some(Cow::Owned(message))),
            Err(_) => Err(malformed(detail.path(OSLO_MESSAGE), "the notification as JSON")),
        },
        other => Ok(Some(Cow::Borrowed(other))),
    }
}

/// The image's details. Whether it is protected stays out: protection here is its owner's decision.
fn details(payload: &Fields<'_>) -> Result<Details, EventError> {
    let text = |name| payload.optional::<String>(name, "a text");
    let mut properties = payload.text_map("properties")?;
    properties.retain(|name, _| !is_reserved_property(name));
    Ok(Details {
        name: text("name")?,
        disk_format: text("disk_format")?,
        container_format: text("container_format")?,
        min_disk_gib: payload.number("min_disk")?,
        min_ram_mib: payload.number("min_ram")?,
        tags: payload.text_set("tags")?,
        properties,
        ..Details::default()
    })
}
