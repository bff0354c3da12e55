//! What happened, for those whom it concerns.
//!
//! Events are derived from what was written ([`share_changes`] and the changes of the other items), and never from the
//! request that wrote it: so whatever changes an item tells of it, and what was not written is not told. Each event has
//! one audience, and holds what that audience may know: a recipient never learns of other recipients, of vaults, or of
//! a key that is not granted to it.
//!
//! The same change always makes the same event, with the same id, however often its change is read.

mod share_change;

use uuid::Uuid;

pub use self::share_change::{ShareChange, share_changes};
use super::value_enum::value_enum;
use super::{ImageId, JobId, KeyGrant, Stamp, Status, Task, TenantId, Timestamp};

/// The namespace of the ids of events.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f0a_91f7_40f5_5c4e_9c3b_5d8c_7b1e_2a60);

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// An image was registered.
    ImageRegistered,
    /// The details or the visibility of an image were changed.
    ImageChanged,
    /// An image was deleted.
    ImageRemoved,
    /// An image was shared with a tenant.
    ShareOffered,
    /// A share was accepted: by its recipient, or without its consent where none is needed.
    ShareAccepted,
    /// A share was rejected.
    ShareRejected,
    /// A share was ended by the owner.
    ShareWithdrawn,
    /// A key grant was withdrawn.
    GrantEnded,
    /// Every pair of a job has been executed.
    JobEnded,
}

value_enum!(EventKind {
    ImageRegistered = "image.registered",
    ImageChanged = "image.changed",
    ImageRemoved = "image.removed",
    ShareOffered = "share.offered",
    ShareAccepted = "share.accepted",
    ShareRejected = "share.rejected",
    ShareWithdrawn = "share.withdrawn",
    GrantEnded = "grant.ended" or JobEnded = "job.ended"
});

/// On which side of a share the tenant is that an event is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Audience {
    /// The owner of the image or the key; the tenant that requested the job.
    Owner,
    /// The tenant that the image is shared with, or the key granted to.
    Recipient,
}

value_enum!(Audience { Owner = "owner" or Recipient = "recipient" });

/// Why a share was withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WithdrawalReason {
    /// Its owner withdrew it.
    Unshared,
    /// The image was deleted.
    ImageRemoved,
}

value_enum!(WithdrawalReason { Unshared = "unshared" or ImageRemoved = "image_removed" });

/// An image, as events name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventImage {
    /// The image.
    pub id: ImageId,
    /// Its name, of which the event of a share has the first 300 bytes; `None` if it has none, or is deleted.
    pub name: Option<String>,
    /// Its owner. `None` if it is deleted, and was hidden before.
    pub owner: Option<TenantId>,
}

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventSubject {
    /// An image.
    Image(EventImage),
    /// A pair of an image and a recipient.
    Share {
        /// The image.
        image: EventImage,
        /// The tenant that it is, or was, shared with.
        recipient: TenantId,
        /// The status after the change; `None` if the share has ended.
        status: Option<Status>,
        /// Why it has ended.
        reason: Option<WithdrawalReason>,
        /// Whether it was accepted or rejected by a decision of the recipient.
        is_decision: bool,
    },
    /// A key grant that was given at that time.
    Grant(KeyGrant, Timestamp),
    /// A job.
    Job {
        /// The job.
        id: JobId,
        /// What it did to each pair.
        task: &'static str,
        /// The number of its pairs.
        pairs: usize,
        /// The number of those that have failed.
        failed: usize,
    },
}

/// An event for one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The side of the tenant that the event is for.
    pub audience: Audience,
    /// The tenant that the event is for.
    pub tenant: TenantId,
    /// When it happened.
    pub at: Timestamp,
    /// Orders the events of an image, or of a pair: the greater number is the later.
    pub sequence: Option<u64>,
    /// The request that it follows from: a job's id, for one that has a job.
    pub request: Option<Stamp>,
    /// What it is about.
    pub subject: EventSubject,
}

impl Event {
    /// Its id: a version 5 UUID of what happened and for whom.
    pub fn id(&self) -> Uuid {
        let subject = match &self.subject {
            EventSubject::Image(image) => image.id.to_string(),
            EventSubject::Share { image, recipient, .. } => format!("{}#{recipient}", image.id),
            EventSubject::Grant(KeyGrant { owner, key, tenant }, created) => {
                format!("{owner}#{key}#{tenant}#{}", created.unix_millis())
            }
            EventSubject::Job { id, .. } => id.to_string(),
        };
        let request = self.request.map(|stamp| stamp.to_string()).unwrap_or_default();
        let sequence = self.sequence.unwrap_or_default();
        let text = format!("{}#{}#{subject}#{request}#{sequence}", self.kind, self.audience);
        Uuid::new_v5(&NAMESPACE, text.as_bytes())
    }
}

impl Task {
    /// What a task does to each pair, as events say it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Share => "share",
            Self::Unshare => "unshare",
            Self::Refresh => "refresh",
            Self::Respond { status, .. }
            | Self::RespondToAll { status, .. }
            | Self::RespondToOwners { status, .. } => match status {
                Status::Accepted => "accept",
                Status::Rejected => "reject",
                Status::Pending => "reset",
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(recipient: &str, audience: Audience, sequence: u64) -> Event {
        let image =
            EventImage { id: "i".parse().unwrap(), name: None, owner: Some("owner".parse().unwrap()) };
        let recipient: TenantId = recipient.parse().unwrap();
        let subject = EventSubject::Share {
            image,
            recipient,
            status: Some(Status::Pending),
            reason: None,
            is_decision: false,
        };
        Event {
            kind: EventKind::ShareOffered,
            audience,
            tenant: "t".parse().unwrap(),
            at: Timestamp::from_unix_millis(7),
            sequence: Some(sequence),
            request: None,
            subject,
        }
    }

    #[test]
    fn event_id_depends_on_what_happened_only() {
        let event = offered("r", Audience::Owner, 1);
        assert_eq!(event.id(), Event { at: Timestamp::from_unix_millis(8), ..event.clone() }.id());
        assert_eq!(event.id().get_version_num(), 5);
        for other in [
            offered("s", Audience::Owner, 1),
            offered("r", Audience::Recipient, 1),
            offered("r", Audience::Owner, 2),
            Event { kind: EventKind::ShareWithdrawn, ..event.clone() },
            Event { request: Some(Stamp::now()), ..event.clone() },
        ] {
            assert_ne!(event.id(), other.id(), "{other:?}");
        }
    }
}
