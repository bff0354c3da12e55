//! The messages that events make: what concerns a tenant that has not requested it.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;

use crate::App;
use crate::domain::{
    Audience, Event, EventKind, EventSubject, MessageId, MessageKind, MessagePart, Stamp, TenantId,
};
use crate::store::StoreError;
use crate::usecases::deliver_message;

/// Writes the messages of events; those of one request to one tenant are one message. To do so again changes nothing.
/// One write for each message, all at the same time.
///
/// # Errors
/// [`StoreError`] if the table failed.
pub async fn deliver_messages(app: &App, events: &[Event]) -> Result<(), StoreError> {
    let messages = messages(events);
    let deliver = async |((tenant, id), part): (&(TenantId, MessageId), &MessagePart)| {
        deliver_message(app, tenant, id, part).await
    };
    try_join_all(messages.iter().map(deliver)).await.map(drop)
}

/// The messages of events, each with what these events add to it.
fn messages(events: &[Event]) -> BTreeMap<(TenantId, MessageId), MessagePart> {
    let mut messages = BTreeMap::<_, MessagePart>::new();
    for event in events {
        let Some(id) = message_id(event) else { continue };
        let part = messages.entry((event.tenant.clone(), id)).or_default();
        match &event.subject {
            EventSubject::Share { image, .. } => {
                part.images.insert(image.id.clone(), image.name.clone());
            }
            EventSubject::Grant(grant, _) => part.key = Some(grant.key.clone()),
            EventSubject::Image(_) | EventSubject::Job { .. } => {}
        }
    }
    messages
}

/// The message that an event is part of; `None` if its tenant gets none: it has made the request itself, or the owner of
/// the image is not known any more. An owner that shares an image gets no message that the share was accepted without a
/// decision: it needed none, or its recipient trusts the owner.
fn message_id(event: &Event) -> Option<MessageId> {
    let kind = match (event.audience, event.kind) {
        (Audience::Recipient, EventKind::ShareOffered) => MessageKind::ShareOffered,
        (Audience::Recipient, EventKind::ShareWithdrawn) => MessageKind::ShareWithdrawn,
        (Audience::Recipient, EventKind::GrantEnded) => MessageKind::GrantEnded,
        (Audience::Owner, EventKind::ShareAccepted) => MessageKind::ShareAccepted,
        (Audience::Owner, EventKind::ShareRejected) => MessageKind::ShareRejected,
        _ => return None,
    };
    let counterpart = match &event.subject {
        EventSubject::Share { is_decision: false, .. } if kind.is_to_owner() => return None,
        EventSubject::Share { recipient, .. } if kind.is_to_owner() => recipient.clone(),
        EventSubject::Share { image, .. } => image.owner.clone()?,
        EventSubject::Grant(grant, _) => grant.owner.clone(),
        EventSubject::Image(_) | EventSubject::Job { .. } => return None,
    };
    // The withdrawal of a key grant has no stamp.
    let stamp = event.request.unwrap_or_else(|| Stamp::derived(event.at, event.id()));
    Some(MessageId { stamp, kind, counterpart })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{EventImage, KeyGrant, Timestamp};

    fn event(kind: EventKind, audience: Audience, image: &str) -> Event {
        let subject = EventSubject::Share {
            image: EventImage {
                id: image.parse().unwrap(),
                name: Some(format!("name of {image}")),
                owner: Some("own1".parse().unwrap()),
            },
            recipient: "mem1".parse().unwrap(),
            status: None,
            reason: None,
            is_decision: audience == Audience::Owner,
        };
        Event {
            kind,
            audience,
            tenant: if audience == Audience::Owner { "own1" } else { "mem1" }.parse().unwrap(),
            at: Timestamp::from_unix_millis(5),
            sequence: Some(1),
            request: Some(Stamp::first_of(Timestamp::from_unix_millis(7))),
            subject,
        }
    }

    #[test]
    fn events_of_one_request_are_one_message() {
        let offered = |image| event(EventKind::ShareOffered, Audience::Recipient, image);
        let other_request = Event { request: Some(Stamp::now()), ..offered("i-3") };
        let messages = messages(&[offered("i-1"), offered("i-2"), other_request, offered("i-1")]);
        let counts: Vec<_> = messages.values().map(|part| part.images.len()).collect();
        assert_eq!(counts, [2, 1]);
        let ((tenant, id), part) = messages.first_key_value().unwrap();
        assert_eq!((tenant.as_str(), id.counterpart.as_str()), ("mem1", "own1"));
        assert_eq!(part.images[&"i-1".parse().unwrap()].as_deref(), Some("name of i-1"));
    }

    #[test]
    fn tenant_gets_no_message_of_its_own_request() {
        for (kind, audience, counterpart) in [
            (EventKind::ShareOffered, Audience::Owner, None),
            (EventKind::ShareOffered, Audience::Recipient, Some("own1")),
            (EventKind::ShareWithdrawn, Audience::Owner, None),
            (EventKind::ShareWithdrawn, Audience::Recipient, Some("own1")),
            (EventKind::ShareAccepted, Audience::Owner, Some("mem1")),
            (EventKind::ShareAccepted, Audience::Recipient, None),
            (EventKind::ShareRejected, Audience::Owner, Some("mem1")),
            (EventKind::ShareRejected, Audience::Recipient, None),
        ] {
            let id = message_id(&event(kind, audience, "i-1"));
            assert_eq!(id.as_ref().map(|id| id.counterpart.as_str()), counterpart, "{kind} {audience}");
            assert!(id.is_none_or(|id| id.kind.as_str() == kind.as_str()));
        }
    }

    #[test]
    fn ended_grant_is_a_message_of_its_own_that_names_the_key() {
        let ended = |key: &str, at: i64| {
            let (owner, tenant) = ("own1".parse().unwrap(), "mem1".parse().unwrap());
            let grant = KeyGrant { owner, key: key.parse().unwrap(), tenant };
            Event {
                at: Timestamp::from_unix_millis(at),
                request: None,
                subject: EventSubject::Grant(grant, Timestamp::from_unix_millis(1)),
                ..event(EventKind::GrantEnded, Audience::Recipient, "i-1")
            }
        };
        let messages = messages(&[ended("k-1", 5), ended("k-2", 5), ended("k-1", 5)]);
        let keys: Vec<_> = messages.values().filter_map(|part| part.key.as_ref()).collect();
        assert_eq!((messages.len(), keys.len()), (2, 2));
        assert!(messages.keys().all(|(_, id)| id.stamp.time().unix_millis() == 5));
    }
}
