//! The state machine of consent: one image shared with one tenant.
//!
//! Requests become jobs, and jobs are executed late, twice, or out of order. So each change carries the [`Stamp`] of
//! its request, and a membership stores the stamps that formed it. In whatever order the owner's requests are applied,
//! the membership is the one that results from applying them in the order in which they were made
//! (`contract/decisions.md` 10):
//!
//! * a share that is older than the newest unshare has no effect;
//! * an unshare ends the membership that earlier shares began; if a later share has been applied already, the
//!   membership begins again with that one, `pending` (decision 19);
//! * sharing again while the membership is active changes no status (decision 6);
//! * an auto-accepted share needs no consent (decision 11), or has it in advance, since the recipient trusts the owner
//!   (decision 34): a membership that has one is accepted until its recipient decides, and a decision of the recipient
//!   stays in force.
//!
//! The recipient's decisions are ordered in the same way. A decision counts only if the membership is active when it
//! is executed, and never after an unshare that is newer: no recipient has consented to what was shared after a
//! withdrawal. A decision that counts is stored with its stamp, also beyond an older unshare that is executed later,
//! and is in force while it is newer than the share that the membership begins with.
//!
//! So the order of execution matters for a decision in one case only: it may come before the share that it decides on,
//! for which it then waits (`contract/decisions.md` 27).

use std::iter;

use serde::{Deserialize, Serialize};

use super::value_enum::value_enum;
use super::{Reservation, Stamp};

/// The recipient's decision on a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// No decision yet.
    Pending,
    /// The image may be used, and is listed.
    Accepted,
    /// The image is not listed; it may still be accepted later (seed 001).
    Rejected,
}

value_enum!(Status { Pending = "pending", Accepted = "accepted" or Rejected = "rejected" });

/// The state of one pair of an image and a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Membership {
    /// The image is shared with the tenant.
    #[serde(rename = "Standing")]
    Active(Active),
    /// The image is not shared with the tenant. Kept for a while, so that a share that was requested before the
    /// unshare and is executed later does not bring the membership back.
    Ended(Ended),
}

/// A membership of a tenant that the image is shared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Active {
    /// The share that it began with: the earliest one that no unshare has ended.
    pub since: Stamp,
    /// Shares after `since`, ascending: the newest [`MAX_RESHARES`] of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reshared: Vec<Stamp>,
    /// The newest unshare before `since`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unshared: Option<Stamp>,
    /// The newest decision, if it is newer than that unshare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "answered")]
    pub decision: Option<Decision>,
    /// The newest of the shares above that is auto-accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "granted")]
    pub auto_accepted: Option<Stamp>,
    /// The policy of the recipient by which that share is accepted; `None` if it needs no consent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_by: Option<AcceptedBy>,
    /// The capacity that an accepted full-ECS image has reserved in a vault of the recipient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "reserved")]
    pub reservation: Option<Reservation>,
}

/// The state of a pair after an unshare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The newest unshare.
    pub unshared: Stamp,
    /// The newest decision, if it is newer. The share that it decided on is then newer too and not executed yet, or
    /// was withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "answered")]
    pub decision: Option<Decision>,
    /// Whether the image was shared with the tenant before. If so, the withdrawal has superseded earlier decisions.
    #[serde(default, skip_serializing_if = "is_false")]
    #[serde(rename = "stood")]
    pub was_active: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(value: &bool) -> bool {
    !value
}

/// A recipient's decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The stamp of its request.
    pub at: Stamp,
    /// The status that it sets.
    pub status: Status,
    /// The share that the membership began with when the decision was executed, if the stamp of that share is newer:
    /// the clocks of two machines differ a little.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Stamp>,
}

impl Decision {
    /// Whether it is in force for a membership that began with `since`.
    fn applies_to(self, since: Stamp) -> bool {
        Some(self.at).max(self.found) >= Some(since)
    }
}

/// The policy by which a share is accepted at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AcceptedBy {
    /// The recipient trusts the owner (`contract/decisions.md` 34).
    TrustedOwner,
}

impl AcceptedBy {
    /// The policy as it appears in responses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TrustedOwner => "trusted_owner",
        }
    }
}

/// The maximum number of repeated shares that a membership stores. They matter only until older unshares have been
/// executed, which takes minutes.
pub const MAX_RESHARES: usize = 16;

/// The error of a decision by a tenant that the image is not shared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the image is not shared with the tenant")]
pub struct NotAMember;

impl Membership {
    /// Applies a share to the membership so far.
    ///
    /// Returns the new membership, or `None` if nothing changes.
    pub fn share(current: Option<&Self>, at: Stamp) -> Option<Self> {
        let active = match current {
            None => Active::new(at, None, None),
            Some(Self::Ended(Ended { unshared, decision, .. })) if *unshared < at => {
                Active::new(at, Some(*unshared), *decision)
            }
            Some(Self::Ended(_)) => return None,
            Some(Self::Active(active)) => active.reshare(at)?,
        };
        Some(Self::Active(active))
    }

    /// Applies a share that needs no consent. Returns the new membership, or `None` if nothing changes.
    pub fn share_auto_accepted(current: Option<&Self>, at: Stamp) -> Option<Self> {
        Self::auto_accept(current, at, None)
    }

    /// Applies a share that is accepted by a policy. Returns the new membership, or `None` if nothing changes.
    pub fn share_accepted_by(current: Option<&Self>, at: Stamp, policy: AcceptedBy) -> Option<Self> {
        Self::auto_accept(current, at, Some(policy))
    }

    fn auto_accept(current: Option<&Self>, at: Stamp, accepted_by: Option<AcceptedBy>) -> Option<Self> {
        let shared = Self::share(current, at);
        let active = shared.as_ref().or(current)?.active()?;
        if active.unshared.is_some_and(|unshared| at < unshared) {
            return None;
        }
        let mut next = active.clone();
        if active.auto_accepted < Some(at) {
            (next.auto_accepted, next.accepted_by) = (Some(at), accepted_by);
        }
        let next = Self::Active(next);
        (Some(&next) != current).then_some(next)
    }

    /// Applies an unshare. Returns the new membership, or `None` if nothing changes.
    pub fn unshare(current: Option<&Self>, at: Stamp) -> Option<Self> {
        match current {
            None => Some(Self::new_ended(at, None, false)),
            Some(Self::Ended(ended)) => {
                (ended.unshared < at).then(|| Self::new_ended(at, ended.decision, ended.was_active))
            }
            Some(Self::Active(active)) => active.unshare(at),
        }
    }

    /// Applies an unshare of a deleted image, which ends later shares as well. Returns the new membership, or `None`
    /// if nothing changes.
    pub fn unshare_deleted_image(current: Option<&Self>, at: Stamp) -> Option<Self> {
        match current {
            Some(active @ Self::Active(_)) => {
                Some(Self::new_ended(at.max(active.newest_stamp()), None, true))
            }
            _ => Self::unshare(current, at),
        }
    }

    fn new_ended(unshared: Stamp, decision: Option<Decision>, was_active: bool) -> Self {
        let decision = decision.filter(|decision| decision.at > unshared);
        Self::Ended(Ended { unshared, decision, was_active })
    }

    /// Whether a withdrawal has superseded a request with that stamp: the image was shared with the tenant, and its
    /// owner withdrew it later.
    pub fn is_unshared_after(&self, at: Stamp) -> bool {
        match self {
            Self::Active(active) => active.unshared.is_some_and(|unshared| at < unshared),
            Self::Ended(ended) => ended.was_active && at < ended.unshared,
        }
    }

    /// Applies the recipient's decision. Returns the new membership, or `None` if nothing changes: this decision has
    /// been applied before, or a newer one has.
    ///
    /// # Errors
    /// [`NotAMember`] if there is no active membership that the decision could be meant for.
    pub fn decide(current: Option<&Self>, at: Stamp, status: Status) -> Result<Option<Self>, NotAMember> {
        let Some(Self::Active(active)) = current else { return Err(NotAMember) };
        if active.unshared.is_some_and(|unshared| at < unshared) {
            return Err(NotAMember);
        }
        if active.decision.is_some_and(|decision| at <= decision.at) {
            return Ok(None);
        }
        let found = Some(active.since).filter(|since| *since > at);
        let mut next = Active { decision: Some(Decision { at, status, found }), ..active.clone() };
        if status != Status::Accepted {
            next.reservation = None;
        }
        Ok(Some(Self::Active(next)))
    }

    /// The same membership with that reservation instead of its own. An ended one has none.
    #[must_use]
    pub fn with_reservation(self, reservation: Reservation) -> Self {
        match self {
            Self::Active(active) => Self::Active(Active { reservation: Some(reservation), ..active }),
            Self::Ended(_) => self,
        }
    }

    /// The same membership without its recipient's consent, be it a decision or in advance, and so without a
    /// reservation.
    #[must_use]
    pub fn without_consent(self) -> Self {
        match self {
            Self::Active(active) => Self::Active(Active {
                decision: None,
                auto_accepted: None,
                accepted_by: None,
                reservation: None,
                ..active
            }),
            Self::Ended(ended) => Self::Ended(Ended { decision: None, ..ended }),
        }
    }

    /// Its status; `None` if the image is not shared with the tenant.
    pub fn status(&self) -> Option<Status> {
        self.active().map(Active::status)
    }

    /// Whether its recipient has still to decide.
    pub fn is_pending(&self) -> bool {
        self.status() == Some(Status::Pending)
    }

    /// The capacity that it has reserved in a vault.
    pub fn reservation(&self) -> Option<&Reservation> {
        self.active()?.reservation.as_ref()
    }

    /// The stamp of the newest of the requests that formed it.
    pub fn newest_stamp(&self) -> Stamp {
        match self {
            Self::Ended(Ended { unshared, decision, .. }) => {
                decision.map_or(*unshared, |decision| decision.at.max(*unshared))
            }
            Self::Active(active) => {
                let decided = active.decision.map(|decision| decision.at);
                let others = [active.reshared.last().copied(), active.unshared, decided];
                others.into_iter().flatten().fold(active.since, Stamp::max)
            }
        }
    }

    /// The membership, if it is active.
    pub fn active(&self) -> Option<&Active> {
        match self {
            Self::Active(active) => Some(active),
            Self::Ended(_) => None,
        }
    }
}

impl Active {
    fn new(since: Stamp, unshared: Option<Stamp>, decision: Option<Decision>) -> Self {
        Self {
            since,
            reshared: Vec::new(),
            unshared,
            decision,
            auto_accepted: None,
            accepted_by: None,
            reservation: None,
        }
    }

    /// Its status: that of the decision in force. Without one, an auto-accepted share counts as accepted.
    pub fn status(&self) -> Status {
        let undecided = if self.auto_accepted.is_some() { Status::Accepted } else { Status::Pending };
        self.effective_decision().map_or(undecided, |decision| decision.status)
    }

    /// The policy by which it is accepted; `None` if that is not why it is.
    pub fn accepted_by(&self) -> Option<AcceptedBy> {
        self.accepted_by.filter(|_| self.auto_accepted.is_some() && self.effective_decision().is_none())
    }

    /// The decision in force.
    pub fn effective_decision(&self) -> Option<Decision> {
        self.decision.filter(|decision| decision.applies_to(self.since))
    }

    fn reshare(&self, at: Stamp) -> Option<Self> {
        if at == self.since || self.unshared.is_some_and(|unshared| at < unshared) {
            return None;
        }
        let mut next = self.clone();
        let later = if at < self.since { std::mem::replace(&mut next.since, at) } else { at };
        let index = next.reshared.binary_search(&later).err()?;
        next.reshared.insert(index, later);
        if next.reshared.len() > MAX_RESHARES {
            next.reshared.remove(0);
        }
        (next != *self).then_some(next)
    }

    fn unshare(&self, at: Stamp) -> Option<Membership> {
        if self.unshared.is_some_and(|unshared| at <= unshared) {
            return None;
        }
        let mut later =
            iter::once(self.since).chain(self.reshared.iter().copied()).filter(|share| *share > at);
        let Some(since) = later.next() else { return Some(Membership::new_ended(at, self.decision, true)) };
        let decision = self.decision.filter(|decision| decision.at > at);
        let auto_accepted = self.auto_accepted.filter(|share| *share > at);
        let mut next = Self {
            reshared: later.collect(),
            auto_accepted,
            accepted_by: self.accepted_by.filter(|_| auto_accepted.is_some()),
            ..Self::new(since, Some(at), decision)
        };
        if next.status() == Status::Accepted {
            next.reservation.clone_from(&self.reservation);
        }
        Some(Membership::Active(next))
    }
}

#[cfg(test)]
mod tests;
