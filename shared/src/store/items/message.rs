//! The item of a message, and the read mark of a tenant.
//!
//! A message is a set of images that only grows, so adding a part to it twice, or in another order, gives the same
//! item. What else it says is in its key.

use std::collections::BTreeMap;

use crate::domain::{
    ImageId, KeyId, MAX_MESSAGE_IMAGES, MESSAGE_RETENTION, Message, MessageId, MessagePart, TenantId,
    Timestamp,
};
use crate::store::error::StoreError;
use crate::store::item::{self, AttributeValue, Item};
use crate::store::keys::{self, GPK, GSK, SK, TTL, sortable_time};
use crate::table::Write;

/// The attribute that holds the images, as a set of `<image>#<name>`, or `<image>` for one without a name.
const IMAGES: &str = "images";

/// The attribute that exists if there are more images than the message lists.
const MORE: &str = "more";

/// The attribute that holds the key.
const MESSAGE_KEY: &str = "key";

/// The attribute of a read mark: everything that arrived until then is read, in milliseconds.
pub const UP_TO: &str = "up_to";

/// Separates an image from its name. No id contains it.
const NAME_SEPARATOR: char = '#';

/// The number of bytes of a name that a message has. A set of the longest names and ids is then below 100 KB.
const MAX_NAME_BYTES: usize = 120;

/// Adds a part to a message, and creates the message if it does not exist. A message that exists keeps its place among
/// the unread ones, or the mark that it is read. The condition fails if it lists as many images as it may.
pub fn add(tenant: &TenantId, id: &MessageId, part: &MessagePart, now: Timestamp) -> Write {
    macro_rules! create_and {
        ($more:literal) => {
            concat!(
                "SET #ttl = :ttl, gpk = if_not_exists(gpk, :unread), gsk = if_not_exists(gsk, :now)",
                $more
            )
        };
    }
    let expression = match (&part.key, part.images.is_empty()) {
        (None, true) => create_and!(""),
        (None, false) => create_and!(" ADD images :images"),
        (Some(_), true) => create_and!(", #key = :key"),
        (Some(_), false) => create_and!(", #key = :key ADD images :images"),
    };
    let mut write = Write::update(keys::message(tenant, id), expression)
        .name("#ttl", TTL)
        .value(":ttl", item::number(id.stamp.time().plus(MESSAGE_RETENTION).unix_seconds()))
        .value(":unread", item::text(keys::marked_messages_partition(tenant, false)))
        .value(":now", item::text(sortable_time(now)));
    if let Some(key) = &part.key {
        write = write.name("#key", MESSAGE_KEY).value(":key", item::text(key));
    }
    if !part.images.is_empty() {
        let images = part.images.iter().map(|(image, name)| image_entry(image, name.as_deref())).collect();
        write = write
            .value(":images", AttributeValue::Ss(images))
            .only_if("attribute_not_exists(images) OR size(images) < :most")
            .value(":most", item::number(i128::try_from(MAX_MESSAGE_IMAGES).unwrap_or(i128::MAX)));
    }
    write
}

/// Records that there are more images than a message lists.
pub fn add_more(tenant: &TenantId, id: &MessageId) -> Write {
    Write::update(keys::message(tenant, id), "SET more = :more")
        .only_if("attribute_exists(pk)")
        .value(":more", AttributeValue::Bool(true))
}

/// Marks a message as read, or as unread from now on. The condition fails if there is no such message.
pub fn mark(tenant: &TenantId, id: &MessageId, is_read: bool, now: Timestamp) -> Write {
    const READ: &str = "SET gpk = :list";
    const UNREAD: &str = "SET gpk = :list, gsk = :now";
    let write = Write::update(keys::message(tenant, id), if is_read { READ } else { UNREAD })
        .only_if("attribute_exists(pk)")
        .value(":list", item::text(keys::marked_messages_partition(tenant, is_read)));
    if is_read { write } else { write.value(":now", item::text(sortable_time(now))) }
}

/// Moves the read mark of a tenant forward. The condition fails if it is as far, or further.
pub fn move_read_mark(tenant: &TenantId, up_to: Timestamp) -> Write {
    Write::update(keys::read_mark(tenant), "SET up_to = :up_to, #ttl = :ttl")
        .name("#ttl", TTL)
        .only_if("attribute_not_exists(up_to) OR up_to < :up_to")
        .value(":up_to", item::number(up_to.unix_millis()))
        .value(":ttl", item::number(read_mark_expiry(up_to).unix_seconds()))
}

/// When a read mark is not needed any more: all messages that arrived until then have expired.
fn read_mark_expiry(up_to: Timestamp) -> Timestamp {
    up_to.plus(MESSAGE_RETENTION)
}

/// Parses a message; `None` if it has expired by `now`.
pub fn parse(found: &Item, now: Timestamp) -> Result<Option<Message>, StoreError> {
    let id = parse_id(found)?;
    let is_marked_read = keys::parse_is_marked_read(item::get_text(found, GPK)?);
    let message = Message {
        id,
        images: parse_images(found)?,
        has_more_images: found.contains_key(MORE),
        key: find_key(found)?,
        arrived: parse_arrived(found)?,
        is_marked_read: is_marked_read.ok_or(StoreError::Unreadable(GPK))?,
    };
    Ok(Some(message).filter(|message| message.expires() > now))
}

/// Parses the id of a message, or of its entry in the index.
pub fn parse_id(found: &Item) -> Result<MessageId, StoreError> {
    keys::parse_message_sort_key(item::get_text(found, SK)?).ok_or(StoreError::Unreadable(SK))
}

/// Parses when a message arrived, from it or from its entry in the index.
pub fn parse_arrived(found: &Item) -> Result<Timestamp, StoreError> {
    item::get_parsed(found, GSK).map(Timestamp::from_unix_millis)
}

fn find_key(found: &Item) -> Result<Option<KeyId>, StoreError> {
    if found.contains_key(MESSAGE_KEY) { item::get_parsed(found, MESSAGE_KEY).map(Some) } else { Ok(None) }
}

fn parse_images(found: &Item) -> Result<BTreeMap<ImageId, Option<String>>, StoreError> {
    let entries = match found.get(IMAGES) {
        None => return Ok(BTreeMap::new()),
        Some(value) => value.as_ss().map_err(|_| StoreError::Unreadable(IMAGES))?,
    };
    let mut images = BTreeMap::new();
    for entry in entries {
        let (image, name) = match entry.split_once(NAME_SEPARATOR) {
            Some((image, name)) => (image, Some(name.to_owned())),
            None => (entry.as_str(), None),
        };
        let image = image.parse().map_err(|_| StoreError::Unreadable(IMAGES))?;
        // An image that was renamed between two parts is in the set with both names.
        let shown: &mut Option<String> = images.entry(image).or_default();
        if *shown < name {
            *shown = name;
        }
    }
    Ok(images)
}

fn image_entry(image: &ImageId, name: Option<&str>) -> String {
    match name {
        Some(name) => format!("{image}{NAME_SEPARATOR}{}", shorten(name)),
        None => image.to_string(),
    }
}

/// The part of a name that a message has.
fn shorten(name: &str) -> &str {
    let end = (0..=name.len().min(MAX_NAME_BYTES)).rev().find(|end| name.is_char_boundary(*end));
    name.get(..end.unwrap_or_default()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{MessageKind, Stamp};
    use crate::table::Action;

    fn id() -> MessageId {
        MessageId {
            stamp: Stamp::now(),
            kind: MessageKind::ShareOffered,
            counterpart: "own1".parse().unwrap(),
        }
    }

    proptest! {
        #[test]
        fn image_entry_round_trips_up_to_the_name_limit(image in "[a-z0-9-]{1,64}", name in prop::option::of(".{0,80}")) {
            let entry = image_entry(&image.parse().unwrap(), name.as_deref());
            prop_assert!(entry.len() <= 64 + 1 + MAX_NAME_BYTES);
            let found = Item::from([(IMAGES.to_owned(), AttributeValue::Ss(vec![entry]))]);
            let images = parse_images(&found).unwrap();
            let (parsed, shown) = images.first_key_value().unwrap();
            prop_assert_eq!(parsed.as_str(), image);
            prop_assert_eq!(shown.is_some(), name.is_some());
            prop_assert!(name.unwrap_or_default().starts_with(shown.as_deref().unwrap_or_default()));
        }
    }

    #[test]
    fn image_of_two_names_is_one_image() {
        let entries = ["i-1#new", "i-1", "i-2", "i-1#old"].map(str::to_owned);
        for entries in [entries.to_vec(), entries.iter().rev().cloned().collect()] {
            let found = Item::from([(IMAGES.to_owned(), AttributeValue::Ss(entries))]);
            let images = parse_images(&found).unwrap();
            assert_eq!(images.len(), 2);
            assert_eq!(images[&"i-1".parse().unwrap()].as_deref(), Some("old"));
        }
    }

    #[test]
    fn every_expression_has_exactly_its_values() {
        let tenant = "mem1".parse().unwrap();
        let image = BTreeMap::from([("i-1".parse().unwrap(), None)]);
        for images in [BTreeMap::new(), image] {
            for key in [None, Some("k-1".parse().unwrap())] {
                let part = MessagePart { images: images.clone(), key };
                let write = add(&tenant, &id(), &part, Timestamp::now());
                let Action::Update(_, expression) = &write.action else { panic!("an update") };
                let condition = write.condition.as_deref().unwrap_or_default();
                for (name, _) in &write.values {
                    assert!(expression.contains(name) || condition.contains(name), "{name} in {expression}");
                }
                let placeholders = expression.matches(':').count() + condition.matches(':').count();
                assert_eq!(placeholders, write.values.len(), "{expression} {condition}");
            }
        }
    }
}
