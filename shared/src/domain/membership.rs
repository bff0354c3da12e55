//! The state machine of consent: one image shared with one tenant.
//!
//! Requests become jobs, and jobs are carried out late, twice, or out of order. So each change carries the
//! [`Stamp`] of its request, and a membership remembers the stamps that formed it. The rules give, for the owner's
//! requests, the same membership whatever order they are applied in, namely that of applying them in the order in
//! which they were made (`contract/decisions.md` 10):
//!
//! * a share that is older than the newest unshare does nothing;
//! * an unshare ends the standing that earlier shares made; if a later share is known already, the standing begins
//!   anew with that one, `pending` (decision 19);
//! * sharing again while the membership stands changes no status (decision 6);
//! * a grant is a share that asks for no consent (decision 11): a standing that holds one is accepted for as long as its
//!   recipient has said nothing, and what the recipient has said stays.
//!
//! The recipient's answers are ordered in the same way. An answer counts only if it finds a membership that stands, and
//! never after an unshare that is newer than it: nobody is made to have consented to what was shared after a withdrawal.
//! One that counts is remembered with its stamp, beyond an older unshare which is carried out later, and is in force while
//! it is newer than the share that the standing begins with.
//!
//! So it matters in one case only when an answer is carried out: it may come before the share that it answers, which it
//! then waits for (`contract/decisions.md` 27).

use std::iter;

use serde::{Deserialize, Serialize};

use super::value_enum::value_enum;
use super::{Reservation, Stamp};

/// What the recipient has said to a sharing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Nothing yet.
    Pending,
    /// The image may be used, and is listed.
    Accepted,
    /// The image is not listed; it may still be accepted later (seed 001).
    Rejected,
}

value_enum!(Status { Pending = "pending", Accepted = "accepted" or Rejected = "rejected" });

/// What is known of one image and one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Membership {
    /// The image is shared with the tenant.
    #[serde(rename = "Standing")]
    Active(Active),
    /// The image is not shared with the tenant. That is kept for a while, so that a share which was requested before the
    /// unshare and is carried out later does not bring the membership back.
    Ended(Ended),
}

/// A membership that stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Active {
    /// The share that it began with: the earliest that no unshare has ended.
    pub since: Stamp,
    /// Shares after `since`, ascending; the oldest are forgotten above [`MAX_RESHARES`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reshared: Vec<Stamp>,
    /// The newest unshare before `since`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unshared: Option<Stamp>,
    /// The newest answer, if it is newer than that unshare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "answered")]
    pub decision: Option<Decision>,
    /// The newest of the shares above that asks for no consent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "granted")]
    pub auto_accepted: Option<Stamp>,
    /// What an accepted full-ECS image holds of a vault of the recipient's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "reserved")]
    pub reservation: Option<Reservation>,
}

/// A membership that was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The newest unshare.
    pub unshared: Stamp,
    /// The newest answer, if it is newer: it was given to a share that is newer too and not yet carried out, or in vain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "answered")]
    pub decision: Option<Decision>,
    /// Whether the image was shared with the tenant before: then an earlier answer was overtaken by the withdrawal.
    #[serde(default, skip_serializing_if = "is_false")]
    #[serde(rename = "stood")]
    pub was_active: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(value: &bool) -> bool {
    !value
}

/// What a recipient has said, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// When it was requested.
    pub at: Stamp,
    /// What was said.
    pub status: Status,
    /// The share that it was said to, where by its stamp that is newer: clocks of two machines differ a little.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Stamp>,
}

impl Decision {
    /// Whether it is an answer to a standing that began then.
    fn applies_to(self, since: Stamp) -> bool {
        Some(self.at).max(self.found) >= Some(since)
    }
}

/// How many repeated shares a membership remembers. They matter only while an older unshare may still be under way,
/// which is minutes.
pub const MAX_RESHARES: usize = 16;

/// The answer of a tenant with whom the image is not shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the image is not shared with the tenant")]
pub struct NotAMember;

impl Membership {
    /// Applies a share. `current` is what is known so far.
    ///
    /// Returns what is to be written, or `None` where nothing changes.
    pub fn share(current: Option<&Self>, at: Stamp) -> Option<Self> {
        let active = match current {
            None => Active::new(at, None, None),
            Some(Self::Ended(Ended { unshared, decision: answered, .. })) if *unshared < at => {
                Active::new(at, Some(*unshared), *answered)
            }
            Some(Self::Ended(_)) => return None,
            Some(Self::Active(standing)) => standing.reshare(at)?,
        };
        Some(Self::Active(active))
    }

    /// Applies a grant: a share that is effective at once. Returns what is to be written, or `None` where nothing changes.
    pub fn share_auto_accepted(current: Option<&Self>, at: Stamp) -> Option<Self> {
        let shared = Self::share(current, at);
        let active = shared.as_ref().or(current)?.active()?;
        if active.unshared.is_some_and(|unshared| at < unshared) {
            return None;
        }
        let granted =
            Self::Active(Active { auto_accepted: active.auto_accepted.max(Some(at)), ..active.clone() });
        (Some(&granted) != current).then_some(granted)
    }

    /// Applies an unshare. Returns what is to be written, or `None` where nothing changes.
    pub fn unshare(current: Option<&Self>, at: Stamp) -> Option<Self> {
        match current {
            None => Some(Self::new_ended(at, None, false)),
            Some(Self::Ended(ended)) => {
                (ended.unshared < at).then(|| Self::new_ended(at, ended.decision, ended.was_active))
            }
            Some(Self::Active(standing)) => standing.unshare(at),
        }
    }

    /// Applies an unshare of an image that is gone: nothing that was shared later stands either. Returns what is to be
    /// written, or `None` where nothing changes.
    pub fn unshare_deleted_image(current: Option<&Self>, at: Stamp) -> Option<Self> {
        match current {
            Some(standing @ Self::Active(_)) => {
                Some(Self::new_ended(at.max(standing.newest_stamp()), None, true))
            }
            _ => Self::unshare(current, at),
        }
    }

    fn new_ended(unshared: Stamp, answered: Option<Decision>, stood: bool) -> Self {
        Self::Ended(Ended {
            unshared,
            decision: answered.filter(|answer| answer.at > unshared),
            was_active: stood,
        })
    }

    /// Whether a request of that stamp was overtaken by a withdrawal: the image was shared with the tenant, and its owner
    /// withdrew it later.
    pub fn is_unshared_after(&self, at: Stamp) -> bool {
        match self {
            Self::Active(standing) => standing.unshared.is_some_and(|unshared| at < unshared),
            Self::Ended(ended) => ended.was_active && at < ended.unshared,
        }
    }

    /// Applies the recipient's answer. Returns what is to be written, or `None` where nothing changes, which is so
    /// when the answer was given before, or a newer one was.
    ///
    /// # Errors
    /// [`NotAMember`] where no membership stands that the answer could be meant for.
    pub fn decide(current: Option<&Self>, at: Stamp, status: Status) -> Result<Option<Self>, NotAMember> {
        let Some(Self::Active(standing)) = current else { return Err(NotAMember) };
        if standing.unshared.is_some_and(|unshared| at < unshared) {
            return Err(NotAMember);
        }
        if standing.decision.is_some_and(|answered| at <= answered.at) {
            return Ok(None);
        }
        let found = Some(standing.since).filter(|since| *since > at);
        let mut next = Active { decision: Some(Decision { at, status, found }), ..standing.clone() };
        if status != Status::Accepted {
            next.reservation = None;
        }
        Ok(Some(Self::Active(next)))
    }

    /// The same, holding that in the place of what it held of a vault.
    #[must_use]
    pub fn with_reservation(self, reservation: Reservation) -> Self {
        match self {
            Self::Active(standing) => Self::Active(Active { reservation: Some(reservation), ..standing }),
            Self::Ended(_) => self,
        }
    }

    /// The same, as if its recipient had said nothing.
    #[must_use]
    pub fn without_decision(self) -> Self {
        match self {
            Self::Active(standing) => Self::Active(Active { decision: None, reservation: None, ..standing }),
            Self::Ended(ended) => Self::Ended(Ended { decision: None, ..ended }),
        }
    }

    /// What its recipient has said; `None` where the image is not shared with the tenant.
    pub fn status(&self) -> Option<Status> {
        self.active().map(Active::status)
    }

    /// Whether it waits for its recipient's answer.
    pub fn is_pending(&self) -> bool {
        self.status() == Some(Status::Pending)
    }

    /// What it holds of a vault.
    pub fn reservation(&self) -> Option<&Reservation> {
        self.active()?.reservation.as_ref()
    }

    /// The newest of the requests that formed it.
    pub fn newest_stamp(&self) -> Stamp {
        match self {
            Self::Ended(Ended { unshared, decision: answered, .. }) => {
                answered.map_or(*unshared, |answer| answer.at.max(*unshared))
            }
            Self::Active(standing) => {
                let answered = standing.decision.map(|answer| answer.at);
                let others = [standing.reshared.last().copied(), standing.unshared, answered];
                others.into_iter().flatten().fold(standing.since, Stamp::max)
            }
        }
    }

    /// The standing membership, if there is one.
    pub fn active(&self) -> Option<&Active> {
        match self {
            Self::Active(standing) => Some(standing),
            Self::Ended(_) => None,
        }
    }
}

impl Active {
    fn new(since: Stamp, unshared: Option<Stamp>, answered: Option<Decision>) -> Self {
        Self {
            since,
            reshared: Vec::new(),
            unshared,
            decision: answered,
            auto_accepted: None,
            reservation: None,
        }
    }

    /// What the recipient has said. A grant is as good as consent until it says something.
    pub fn status(&self) -> Status {
        let unanswered = if self.auto_accepted.is_some() { Status::Accepted } else { Status::Pending };
        self.effective_decision().map_or(unanswered, |answer| answer.status)
    }

    /// The answer that counts.
    fn effective_decision(&self) -> Option<Decision> {
        self.decision.filter(|answer| answer.applies_to(self.since))
    }

    fn reshare(&self, at: Stamp) -> Option<Self> {
        if at == self.since || self.unshared.is_some_and(|unshared| at < unshared) {
            return None;
        }
        let mut next = self.clone();
        let later = if at < self.since { std::mem::replace(&mut next.since, at) } else { at };
        let place = next.reshared.binary_search(&later).err()?;
        next.reshared.insert(place, later);
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
        let answered = self.decision.filter(|answer| answer.at > at);
        let mut next = Self {
            reshared: later.collect(),
            auto_accepted: self.auto_accepted.filter(|granted| *granted > at),
            ..Self::new(since, Some(at), answered)
        };
        if next.effective_decision().is_some() {
            next.reservation.clone_from(&self.reservation);
        }
        Some(Membership::Active(next))
    }
}

#[cfg(test)]
mod tests;
