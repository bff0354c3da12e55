//! Messages: what a request of one tenant did to another (seed 001). A request that shares a hundred images with a
//! tenant is one message to it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::value_enum::value_enum;
use super::{ImageId, KeyId, MalformedId, Stamp, TenantId, Timestamp};

/// How long a message is kept after its request.
pub const MESSAGE_RETENTION: Duration = Duration::from_hours(90 * 24);

/// The number of images that a message lists by id. Further ones only make its count a lower bound.
pub const MAX_MESSAGE_IMAGES: usize = 500;

/// What a message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageKind {
    /// To a recipient: images are shared with it.
    ShareOffered,
    /// To a recipient: images are not shared with it any more.
    ShareWithdrawn,
    /// To a recipient: it may not use a key any more.
    GrantEnded,
    /// To an owner: a recipient has accepted images.
    ShareAccepted,
    /// To an owner: a recipient has rejected images.
    ShareRejected,
}

value_enum!(MessageKind {
    ShareOffered = "share.offered",
    ShareWithdrawn = "share.withdrawn",
    GrantEnded = "grant.ended",
    ShareAccepted = "share.accepted" or ShareRejected = "share.rejected"
});

impl MessageKind {
    /// Whether the message is to an owner, so that its counterpart is a recipient.
    pub fn is_to_owner(self) -> bool {
        matches!(self, Self::ShareAccepted | Self::ShareRejected)
    }
}

/// The id of a message among those of its tenant: the request, what it did, and the other tenant. So the same part of a
/// request always finds the same message. Messages are ordered by their requests.
///
/// Its text form is opaque, and fits into a URL as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    /// The stamp of the request.
    pub stamp: Stamp,
    /// What the request did.
    pub kind: MessageKind,
    /// The other tenant: the owner of the images, or of the key, in a message to a recipient; the recipient in one to
    /// an owner.
    pub counterpart: TenantId,
}

/// Separates the parts in the text that an id encodes. None of them contains it.
const SEPARATOR: char = ' ';

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stamp, kind, counterpart } = self;
        let text = format!("{stamp}{SEPARATOR}{kind}{SEPARATOR}{counterpart}");
        f.write_str(&URL_SAFE_NO_PAD.encode(text))
    }
}

impl FromStr for MessageId {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, MalformedId> {
        let parse = || {
            let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
            let mut parts = text.splitn(3, SEPARATOR);
            Some(Self {
                stamp: parts.next()?.parse().ok()?,
                kind: parts.next()?.parse().ok()?,
                counterpart: parts.next()?.parse().ok()?,
            })
        };
        parse().ok_or(MalformedId { expected: "the id of a message, as a list of messages has it" })
    }
}

/// What is added to a message: some of the images that its request concerns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessagePart {
    /// The images, each with its name if it has one.
    pub images: BTreeMap<ImageId, Option<String>>,
    /// The key, in a message that a key grant has ended.
    pub key: Option<KeyId>,
}

/// A message, as its tenant has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// The images, each with its name, if it has one. In the order of their ids, so that the first ones are the same in
    /// whatever order they were added.
    pub images: BTreeMap<ImageId, Option<String>>,
    /// Whether the request concerns more images than [`MAX_MESSAGE_IMAGES`].
    pub has_more_images: bool,
    /// The key, in a message that a key grant has ended.
    pub key: Option<KeyId>,
    /// When the tenant got the message, or marked it as unread.
    pub arrived: Timestamp,
    /// Whether the tenant has marked this message as read.
    pub is_marked_read: bool,
}

impl Message {
    /// When the request was made.
    pub fn time(&self) -> Timestamp {
        self.id.stamp.time()
    }

    /// Until when the message is kept.
    pub fn expires(&self) -> Timestamp {
        self.time().plus(MESSAGE_RETENTION)
    }

    /// Whether the tenant has read the message. `read_up_to` is the moment up to which it has read everything.
    pub fn is_read(&self, read_up_to: Option<Timestamp>) -> bool {
        self.is_marked_read || read_up_to.is_some_and(|moment| self.arrived <= moment)
    }
}

/// The place of an unread message among those of its tenant, which are ordered by arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadEntry {
    /// When the message arrived, or was marked as unread.
    pub arrived: Timestamp,
    /// The message.
    pub id: MessageId,
}

/// `<milliseconds>.<message>`
impl fmt::Display for UnreadEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.arrived.unix_millis(), self.id)
    }
}

impl FromStr for UnreadEntry {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, MalformedId> {
        const EXPECTED: MalformedId = MalformedId { expected: "the place of an unread message" };
        let (arrived, id) = text.split_once('.').ok_or(EXPECTED)?;
        let arrived = arrived.parse().map_err(|_| EXPECTED)?;
        Ok(Self { arrived: Timestamp::from_unix_millis(arrived), id: id.parse()? })
    }
}

/// The unread messages that a reader has seen: all that arrived until a moment, and some that arrived later. Two messages
/// that arrive at the same time may become visible one after the other, so the latest arrival that was seen is no such
/// moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenMessages {
    until: Timestamp,
    later: BTreeSet<EntryDigest>,
}

/// A part of the digest of an entry: enough that no two messages of a few seconds share one by chance.
type EntryDigest = [u8; 6];

/// The most messages after the moment. A page has fewer.
const MAX_SEEN_LATER: usize = 200;

impl SeenMessages {
    /// Everything that arrived until a moment, and these entries, of which those until then are left out.
    pub fn new<'a>(until: Timestamp, entries: impl IntoIterator<Item = &'a UnreadEntry>) -> Self {
        let later = entries.into_iter().filter(|entry| entry.arrived > until).take(MAX_SEEN_LATER);
        Self { until, later: later.map(digest).collect() }
    }

    /// The moment.
    pub fn until(&self) -> Timestamp {
        self.until
    }

    /// The number of messages that arrived after it.
    pub fn later_count(&self) -> usize {
        self.later.len()
    }

    /// Whether the reader has seen a message.
    pub fn contains(&self, entry: &UnreadEntry) -> bool {
        entry.arrived <= self.until || self.later.contains(&digest(entry))
    }
}

fn digest(entry: &UnreadEntry) -> EntryDigest {
    let whole = Sha256::digest(entry.to_string());
    whole.first_chunk().copied().unwrap_or_default()
}

/// `<milliseconds>.<digests>`
impl fmt::Display for SeenMessages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digests: Vec<u8> = self.later.iter().flatten().copied().collect();
        write!(f, "{}.{}", self.until.unix_millis(), URL_SAFE_NO_PAD.encode(digests))
    }
}

impl FromStr for SeenMessages {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, MalformedId> {
        let parse = || {
            let (until, digests) = text.split_once('.')?;
            let until = until.parse::<u64>().ok().and_then(|millis| i64::try_from(millis).ok())?;
            let digests = URL_SAFE_NO_PAD.decode(digests).ok()?;
            let (digests, rest) = digests.as_chunks();
            let is_complete = rest.is_empty() && digests.len() <= MAX_SEEN_LATER;
            let until = Timestamp::from_unix_millis(until);
            is_complete.then(|| Self { until, later: digests.iter().copied().collect() })
        };
        parse().ok_or(MalformedId { expected: "next_since of an earlier list of unread messages" })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(kind: MessageKind, counterpart: &str) -> MessageId {
        MessageId { stamp: Stamp::now(), kind, counterpart: counterpart.parse().unwrap() }
    }

    proptest! {
        #[test]
        fn message_id_is_url_safe_and_round_trips(
            kind in prop::sample::select(MessageKind::ALL.to_vec()), counterpart in "[A-Za-z0-9_-]{1,64}",
        ) {
            let id = id(kind, &counterpart);
            let text = id.to_string();
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')), "{}", text);
            prop_assert_eq!(text.parse(), Ok(id.clone()));
            let entry = UnreadEntry { arrived: Timestamp::now(), id };
            prop_assert_eq!(entry.to_string().parse(), Ok(entry));
        }

        #[test]
        fn each_message_has_one_text_form(text in "[A-Za-z0-9_=-]{0,160}|.{0,20}", at in any::<prop::sample::Index>()) {
            if let Ok(id) = text.parse::<MessageId>() {
                prop_assert_eq!(id.to_string(), text.as_str());
            }
            let mut changed = id(MessageKind::ShareOffered, "own1").to_string();
            changed.replace_range(at.index(changed.len()).., "=");
            prop_assert!(changed.parse::<MessageId>().is_err());
            let _ = text.parse::<UnreadEntry>();
        }
    }

    proptest! {
        #[test]
        fn seen_messages_round_trip(until in 0_i64..20, arrivals in prop::collection::vec(0_i64..20, 0..30)) {
            let entry = |millis: i64| UnreadEntry {
                arrived: Timestamp::from_unix_millis(millis),
                id: id(MessageKind::ShareOffered, "own1"),
            };
            let entries: Vec<_> = arrivals.into_iter().map(entry).collect();
            let seen = SeenMessages::new(Timestamp::from_unix_millis(until), &entries);
            prop_assert!(entries.iter().all(|entry| seen.contains(entry)));
            prop_assert!(!seen.contains(&entry(until + 1)) && seen.contains(&entry(until)));
            prop_assert_eq!(seen.later_count(), entries.iter().filter(|e| e.arrived > seen.until()).count());
            prop_assert_eq!(seen.to_string().parse(), Ok(seen));
        }

        #[test]
        fn any_text_is_parsed_as_seen_messages(text in "[0-9-]{0,20}\\.[A-Za-z0-9_=-]{0,30}|.{0,20}") {
            if let Ok(seen) = text.parse::<SeenMessages>() {
                prop_assert!(seen.until().unix_millis() >= 0);
            }
        }
    }

    #[test]
    fn message_ids_sort_by_their_requests() {
        let (one, two) = (id(MessageKind::ShareRejected, "z"), id(MessageKind::ShareOffered, "a"));
        assert!(one < two, "the stamp comes first");
    }

    #[test]
    fn message_is_read_by_its_mark_or_by_the_moment() {
        let arrived = Timestamp::from_unix_millis(5);
        let message = |is_marked_read| Message {
            id: id(MessageKind::ShareOffered, "own1"),
            images: BTreeMap::new(),
            has_more_images: false,
            key: None,
            arrived,
            is_marked_read,
        };
        let at = |millis| Some(Timestamp::from_unix_millis(millis));
        assert!(
            message(true).is_read(None) && message(false).is_read(at(5)) && message(false).is_read(at(6))
        );
        assert!(!message(false).is_read(None) && !message(false).is_read(at(4)));
    }
}
