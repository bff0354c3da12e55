//! The keys of messages.

use super::{Key, key};
use crate::domain::{MessageId, Stamp, TenantId, Timestamp};

/// The partition of a tenant's messages.
pub fn message_partition(tenant: &TenantId) -> String {
    format!("B#{tenant}")
}

/// A message.
pub fn message(tenant: &TenantId, MessageId { stamp, kind, counterpart }: &MessageId) -> Key {
    key(message_partition(tenant), format!("{stamp}#{kind}#{counterpart}"))
}

/// Parses a message from its sort key.
pub fn parse_message_sort_key(sk: &str) -> Option<MessageId> {
    let mut parts = sk.splitn(3, '#');
    Some(MessageId {
        stamp: parts.next()?.parse().ok()?,
        kind: parts.next()?.parse().ok()?,
        counterpart: parts.next()?.parse().ok()?,
    })
}

/// A sort key below those of the messages of requests since `time`, and above all others.
pub fn message_lower_bound(time: Timestamp) -> String {
    Stamp::first_of(time).to_string()
}

/// The partition of the messages in the `lists` index that a tenant has marked as read, or has not.
pub fn marked_messages_partition(tenant: &TenantId, is_read: bool) -> String {
    format!("{}#{}", message_partition(tenant), if is_read { "read" } else { "unread" })
}

/// Parses whether a message is marked as read from its partition in the `lists` index.
pub fn parse_is_marked_read(gpk: &str) -> Option<bool> {
    match gpk.rsplit_once('#')?.1 {
        "read" => Some(true),
        "unread" => Some(false),
        _ => None,
    }
}

/// The read mark of a tenant.
pub fn read_mark(tenant: &TenantId) -> Key {
    key(format!("U#{tenant}"), "A")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::MessageKind;
    use crate::store::keys::SK;

    #[test]
    fn message_key_round_trips_and_is_bounded_by_its_time() {
        let (tenant, stamp) = ("t".parse().unwrap(), Stamp::now());
        let id = MessageId { stamp, kind: MessageKind::GrantEnded, counterpart: "o".parse().unwrap() };
        let key = message(&tenant, &id);
        let sk = key[SK].as_s().unwrap();
        assert_eq!(parse_message_sort_key(sk), Some(id));
        assert!(*sk > message_lower_bound(stamp.time()));
        assert!(*sk < message_lower_bound(stamp.time().plus(Duration::from_millis(1))));
        for is_read in [true, false] {
            let gpk = marked_messages_partition(&tenant, is_read);
            assert_eq!(parse_is_marked_read(&gpk), Some(is_read));
        }
    }
}
