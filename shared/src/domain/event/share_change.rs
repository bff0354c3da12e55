//! What happened to a share, from the membership before and after one write.

use super::EventKind;
use crate::domain::{Active, Membership, Stamp, Status};

/// One thing that happened to a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShareChange {
    /// What happened: it was offered, accepted, rejected or withdrawn.
    pub kind: EventKind,
    /// The request that did it.
    pub request: Stamp,
    /// The status after the write; `None` once it is withdrawn.
    pub status: Option<Status>,
    /// Whether it was accepted or rejected by a decision of the recipient.
    pub is_decision: bool,
}

/// Returns what happened to a share when its membership was written, in order: nothing if no one could see a change.
/// A write can do more than one thing: a share may be withdrawn and offered again, and may be accepted as it begins.
pub fn share_changes(before: Option<&Membership>, after: Option<&Membership>) -> Vec<ShareChange> {
    let old = before.and_then(Membership::active);
    let mut changes = Vec::new();
    let Some(new) = after.and_then(Membership::active) else {
        // An ended membership that is forgotten was withdrawn before.
        if let (Some(_), Some(Membership::Ended(ended))) = (old, after) {
            changes.push(withdrawn(ended.unshared));
        }
        return changes;
    };
    // An unshare can leave a membership active: then it begins again, with a later share.
    let unshared = new.unshared.filter(|unshared| old.is_some_and(|old| *unshared > old.since));
    changes.extend(unshared.map(withdrawn));
    let (status, old_status) = (new.status(), old.map(Active::status));
    // It also begins again if a late unshare takes only the decision away.
    let is_undecided_again = status == Status::Pending && old_status != Some(Status::Pending);
    let begins = unshared.is_some() || is_undecided_again || old.is_none();
    if begins {
        changes.push(ShareChange {
            kind: EventKind::ShareOffered,
            request: new.since,
            status: Some(status),
            is_decision: false,
        });
    }
    if begins || old_status != Some(status) {
        let decision = new.effective_decision();
        let kind = match status {
            Status::Accepted => EventKind::ShareAccepted,
            Status::Rejected => EventKind::ShareRejected,
            Status::Pending => return changes,
        };
        changes.push(ShareChange {
            kind,
            request: decision.map(|decision| decision.at).or(new.auto_accepted).unwrap_or(new.since),
            status: Some(status),
            is_decision: decision.is_some(),
        });
    }
    changes
}

fn withdrawn(request: Stamp) -> ShareChange {
    ShareChange { kind: EventKind::ShareWithdrawn, request, status: None, is_decision: false }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::Timestamp;

    fn stamp(seconds: i64) -> Stamp {
        Stamp::first_of(Timestamp::from_unix_millis(1_000 * seconds))
    }

    fn kinds(before: Option<&Membership>, after: Option<&Membership>) -> Vec<&'static str> {
        share_changes(before, after).iter().map(|change| change.kind.as_str()).collect()
    }

    #[test]
    fn each_request_makes_its_event() {
        let pending = Membership::share(None, stamp(1)).unwrap();
        assert_eq!(kinds(None, Some(&pending)), ["share.offered"]);
        assert_eq!(kinds(Some(&pending), Membership::share(Some(&pending), stamp(2)).as_ref()), [""; 0]);
        let accepted = Membership::decide(Some(&pending), stamp(3), Status::Accepted).unwrap().unwrap();
        assert_eq!(kinds(Some(&pending), Some(&accepted)), ["share.accepted"]);
        let rejected = Membership::decide(Some(&accepted), stamp(4), Status::Rejected).unwrap().unwrap();
        assert_eq!(kinds(Some(&accepted), Some(&rejected)), ["share.rejected"]);
        let ended = Membership::unshare(Some(&rejected), stamp(5)).unwrap();
        assert_eq!(kinds(Some(&rejected), Some(&ended)), ["share.withdrawn"]);
        assert_eq!(kinds(Some(&ended), None), [""; 0], "the membership is forgotten");
        assert_eq!(kinds(None, Membership::unshare(None, stamp(1)).as_ref()), [""; 0]);
    }

    #[test]
    fn auto_accepted_share_is_offered_and_accepted() {
        let accepted = Membership::share_auto_accepted(None, stamp(1)).unwrap();
        let changes = share_changes(None, Some(&accepted));
        assert_eq!(kinds(None, Some(&accepted)), ["share.offered", "share.accepted"]);
        assert!(changes.iter().all(|change| change.request == stamp(1) && !change.is_decision));
    }

    #[test]
    fn late_unshare_withdraws_and_offers_again() {
        let shared = Membership::share(None, stamp(1)).unwrap();
        let again = Membership::share(Some(&shared), stamp(5)).unwrap();
        let after = Membership::unshare(Some(&again), stamp(3)).unwrap();
        let changes = share_changes(Some(&again), Some(&after));
        assert_eq!(kinds(Some(&again), Some(&after)), ["share.withdrawn", "share.offered"]);
        assert_eq!(changes.iter().map(|change| change.request).collect::<Vec<_>>(), [stamp(3), stamp(5)]);
    }

    #[test]
    fn share_is_offered_again_when_its_decision_falls_away() {
        let shared = Membership::share(None, stamp(5)).unwrap();
        // The clock of the recipient's machine is behind.
        let accepted = Membership::decide(Some(&shared), stamp(1), Status::Accepted).unwrap().unwrap();
        let after = Membership::unshare(Some(&accepted), stamp(1)).unwrap();
        assert_eq!(after.status(), Some(Status::Pending));
        assert_eq!(kinds(Some(&accepted), Some(&after)), ["share.offered"]);
    }

    /// What a reader of events believes: the last status that it was told.
    fn status_after(events: &[ShareChange], before: Option<Status>) -> Option<Status> {
        events.iter().fold(before, |_, event| event.status)
    }

    proptest! {
        #[test]
        fn events_tell_the_status_after_every_request(
            requests in prop::collection::vec((0_u8..5, 1_i64..40), 1..30),
        ) {
            let mut membership: Option<Membership> = None;
            let mut told = None;
            for (request, at) in requests {
                let current = membership.as_ref();
                let next = match request {
                    0 => Membership::share(current, stamp(at)),
                    1 => Membership::share_auto_accepted(current, stamp(at)),
                    2 => Membership::unshare(current, stamp(at)),
                    3 => Membership::decide(current, stamp(at), Status::Accepted).ok().flatten(),
                    _ => Membership::decide(current, stamp(at), Status::Rejected).ok().flatten(),
                };
                let Some(next) = next else { continue };
                let events = share_changes(current, Some(&next));
                told = status_after(&events, told);
                prop_assert_eq!(told, next.status());
                // The sequence of events rests on it.
                prop_assert!(current.is_none_or(|current| current.newest_stamp() <= next.newest_stamp()));
                membership = Some(next);
            }
        }
    }
}
