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

use std::fmt;
use std::iter;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

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

impl Status {
    /// Every status, in the order of the recipient's three views.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Accepted, Self::Rejected];

    /// The status as it stands in requests, responses and keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is no status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected \"pending\", \"accepted\" or \"rejected\"")]
pub struct UnknownStatus;

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(UnknownStatus)
    }
}

/// What is known of one image and one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Membership {
    /// The image is shared with the tenant.
    Standing(Standing),
    /// The image is not shared with the tenant. That is kept for a while, so that a share which was requested before the
    /// unshare and is carried out later does not bring the membership back.
    Ended(Ended),
}

/// A membership that stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The share that it began with: the earliest that no unshare has ended.
    pub since: Stamp,
    /// Shares after `since`, ascending; the oldest are forgotten above [`SHARES_KEPT`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reshared: Vec<Stamp>,
    /// The newest unshare before `since`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unshared: Option<Stamp>,
    /// The newest answer, if it is newer than that unshare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<Answer>,
    /// The newest of the shares above that asks for no consent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted: Option<Stamp>,
    /// What an accepted full-ECS image holds of a vault of the recipient's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved: Option<Reservation>,
}

/// A membership that was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The newest unshare.
    pub unshared: Stamp,
    /// The newest answer, if it is newer: it was given to a share that is newer too and not yet carried out, or in vain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<Answer>,
    /// Whether the image was shared with the tenant before: then an earlier answer was overtaken by the withdrawal.
    #[serde(default, skip_serializing_if = "is_false")]
    pub stood: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(value: &bool) -> bool {
    !value
}

/// What a recipient has said, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// When it was requested.
    pub at: Stamp,
    /// What was said.
    pub status: Status,
    /// The share that it was said to, where by its stamp that is newer: clocks of two machines differ a little.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Stamp>,
}

impl Answer {
    /// Whether it is an answer to a standing that began then.
    fn is_to(self, since: Stamp) -> bool {
        Some(self.at).max(self.found) >= Some(since)
    }
}

/// How many repeated shares a membership remembers. They matter only while an older unshare may still be under way,
/// which is minutes.
pub const SHARES_KEPT: usize = 16;

/// The answer of a tenant with whom the image is not shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the image is not shared with the tenant")]
pub struct NotAMember;

impl Membership {
    /// Applies a share. `current` is what is known so far.
    ///
    /// Returns what is to be written, or `None` where nothing changes.
    pub fn share(current: Option<&Self>, at: Stamp) -> Option<Self> {
        let standing = match current {
            None => Standing::begin(at, None, None),
            Some(Self::Ended(Ended { unshared, answered, .. })) if *unshared < at => {
                Standing::begin(at, Some(*unshared), *answered)
            }
            Some(Self::Ended(_)) => return None,
            Some(Self::Standing(standing)) => standing.share_again(at)?,
        };
        Some(Self::Standing(standing))
    }

    /// Applies a grant: a share that is effective at once. Returns what is to be written, or `None` where nothing changes.
    pub fn grant(current: Option<&Self>, at: Stamp) -> Option<Self> {
        let shared = Self::share(current, at);
        let standing = shared.as_ref().or(current)?.standing()?;
        if standing.unshared.is_some_and(|unshared| at < unshared) {
            return None;
        }
        let granted =
            Self::Standing(Standing { granted: standing.granted.max(Some(at)), ..standing.clone() });
        (Some(&granted) != current).then_some(granted)
    }

    /// Applies an unshare. Returns what is to be written, or `None` where nothing changes.
    pub fn unshare(current: Option<&Self>, at: Stamp) -> Option<Self> {
        match current {
            None => Some(Self::ended(at, None, false)),
            Some(Self::Ended(ended)) => {
                (ended.unshared < at).then(|| Self::ended(at, ended.answered, ended.stood))
            }
            Some(Self::Standing(standing)) => standing.unshare(at),
        }
    }

    /// Applies an unshare of an image that is gone: nothing that was shared later stands either. Returns what is to be
    /// written, or `None` where nothing changes.
    pub fn end(current: Option<&Self>, at: Stamp) -> Option<Self> {
        match current {
            Some(standing @ Self::Standing(_)) => Some(Self::ended(at.max(standing.newest()), None, true)),
            _ => Self::unshare(current, at),
        }
    }

    fn ended(unshared: Stamp, answered: Option<Answer>, stood: bool) -> Self {
        Self::Ended(Ended { unshared, answered: answered.filter(|answer| answer.at > unshared), stood })
    }

    /// Whether a request of that stamp was overtaken by a withdrawal: the image was shared with the tenant, and its owner
    /// withdrew it later.
    pub fn is_withdrawn_after(&self, at: Stamp) -> bool {
        match self {
            Self::Standing(standing) => standing.unshared.is_some_and(|unshared| at < unshared),
            Self::Ended(ended) => ended.stood && at < ended.unshared,
        }
    }

    /// Applies the recipient's answer. Returns what is to be written, or `None` where nothing changes, which is so
    /// when the answer was given before, or a newer one was.
    ///
    /// # Errors
    /// [`NotAMember`] where no membership stands that the answer could be meant for.
    pub fn answer(current: Option<&Self>, at: Stamp, status: Status) -> Result<Option<Self>, NotAMember> {
        let Some(Self::Standing(standing)) = current else { return Err(NotAMember) };
        if standing.unshared.is_some_and(|unshared| at < unshared) {
            return Err(NotAMember);
        }
        if standing.answered.is_some_and(|answered| at <= answered.at) {
            return Ok(None);
        }
        let found = Some(standing.since).filter(|since| *since > at);
        let mut next = Standing { answered: Some(Answer { at, status, found }), ..standing.clone() };
        if status != Status::Accepted {
            next.reserved = None;
        }
        Ok(Some(Self::Standing(next)))
    }

    /// The same, holding that in the place of what it held of a vault.
    #[must_use]
    pub fn reserving(self, reservation: Reservation) -> Self {
        match self {
            Self::Standing(standing) => Self::Standing(Standing { reserved: Some(reservation), ..standing }),
            Self::Ended(_) => self,
        }
    }

    /// The same, as if its recipient had said nothing.
    #[must_use]
    pub fn unanswered(self) -> Self {
        match self {
            Self::Standing(standing) => {
                Self::Standing(Standing { answered: None, reserved: None, ..standing })
            }
            Self::Ended(ended) => Self::Ended(Ended { answered: None, ..ended }),
        }
    }

    /// What its recipient has said; `None` where the image is not shared with the tenant.
    pub fn status(&self) -> Option<Status> {
        self.standing().map(Standing::status)
    }

    /// Whether it waits for its recipient's answer.
    pub fn is_pending(&self) -> bool {
        self.status() == Some(Status::Pending)
    }

    /// What it holds of a vault.
    pub fn reserved(&self) -> Option<&Reservation> {
        self.standing()?.reserved.as_ref()
    }

    /// The newest of the requests that formed it.
    pub fn newest(&self) -> Stamp {
        match self {
            Self::Ended(Ended { unshared, answered, .. }) => {
                answered.map_or(*unshared, |answer| answer.at.max(*unshared))
            }
            Self::Standing(standing) => {
                let answered = standing.answered.map(|answer| answer.at);
                let others = [standing.reshared.last().copied(), standing.unshared, answered];
                others.into_iter().flatten().fold(standing.since, Stamp::max)
            }
        }
    }

    /// The standing membership, if there is one.
    pub fn standing(&self) -> Option<&Standing> {
        match self {
            Self::Standing(standing) => Some(standing),
            Self::Ended(_) => None,
        }
    }
}

impl Standing {
    fn begin(since: Stamp, unshared: Option<Stamp>, answered: Option<Answer>) -> Self {
        Self { since, reshared: Vec::new(), unshared, answered, granted: None, reserved: None }
    }

    /// What the recipient has said. A grant is as good as consent until it says something.
    pub fn status(&self) -> Status {
        let unanswered = if self.granted.is_some() { Status::Accepted } else { Status::Pending };
        self.in_force().map_or(unanswered, |answer| answer.status)
    }

    /// The answer that counts.
    fn in_force(&self) -> Option<Answer> {
        self.answered.filter(|answer| answer.is_to(self.since))
    }

    fn share_again(&self, at: Stamp) -> Option<Self> {
        if at == self.since || self.unshared.is_some_and(|unshared| at < unshared) {
            return None;
        }
        let mut next = self.clone();
        let later = if at < self.since { std::mem::replace(&mut next.since, at) } else { at };
        let place = next.reshared.binary_search(&later).err()?;
        next.reshared.insert(place, later);
        if next.reshared.len() > SHARES_KEPT {
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
        let Some(since) = later.next() else { return Some(Membership::ended(at, self.answered, true)) };
        let answered = self.answered.filter(|answer| answer.at > at);
        let mut next = Self {
            reshared: later.collect(),
            granted: self.granted.filter(|granted| *granted > at),
            ..Self::begin(since, Some(at), answered)
        };
        if next.in_force().is_some() {
            next.reserved.clone_from(&self.reserved);
        }
        Some(Membership::Standing(next))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::{Clock, Timestamp};
    use super::*;

    fn at(minute: u32) -> Stamp {
        Stamp::first_of(Timestamp::from_unix_millis(60_000 * i64::from(minute)))
    }

    #[derive(Debug, Clone, Copy)]
    enum Request {
        Share,
        Grant,
        Unshare,
        Answer(Status),
    }

    fn apply(current: Option<Membership>, at: Stamp, request: Request) -> Option<Membership> {
        let next = match request {
            Request::Share => Membership::share(current.as_ref(), at),
            Request::Grant => Membership::grant(current.as_ref(), at),
            Request::Unshare => Membership::unshare(current.as_ref(), at),
            Request::Answer(status) => Membership::answer(current.as_ref(), at, status).ok().flatten(),
        };
        next.or(current)
    }

    fn owners_request() -> impl Strategy<Value = Request> {
        prop_oneof![Just(Request::Share), Just(Request::Grant), Just(Request::Unshare)]
    }

    fn any_request() -> impl Strategy<Value = Request> {
        let answer = prop::sample::select(&Status::ALL[..]).prop_map(Request::Answer);
        prop_oneof![2 => owners_request(), 1 => answer]
    }

    type History = Vec<(Stamp, Request)>;

    /// Requests with stamps in ascending order, and the same ones shuffled and partly repeated.
    fn history(request: impl Strategy<Value = Request>) -> impl Strategy<Value = (History, History)> {
        prop::collection::vec(request, 1..10).prop_flat_map(|requests| {
            let ordered: Vec<_> = (1..).map(at).zip(requests).collect();
            let mut deliveries = ordered.clone();
            deliveries.extend(ordered.iter().step_by(2).copied());
            (Just(ordered), Just(deliveries).prop_shuffle())
        })
    }

    /// The same, without whether it ended a membership that stood: that depends on what was carried out before.
    fn forgetful(membership: Membership) -> Membership {
        match membership {
            Membership::Ended(ended) => Membership::Ended(Ended { stood: false, ..ended }),
            standing @ Membership::Standing(_) => standing,
        }
    }

    fn run(requests: &[(Stamp, Request)]) -> Option<Membership> {
        requests.iter().fold(None, |current, (at, request)| apply(current, *at, *request))
    }

    /// The answers that found a membership, at the first delivery or at a later one.
    fn heard(requests: &[(Stamp, Request)]) -> BTreeSet<Stamp> {
        let (mut current, mut heard) = (None, BTreeSet::new());
        for (at, request) in requests {
            if let Request::Answer(status) = request
                && Membership::answer(current.as_ref(), *at, *status).is_ok()
            {
                heard.insert(*at);
            }
            current = apply(current, *at, *request);
        }
        heard
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn the_later_request_wins_in_whatever_order_they_are_carried_out((ordered, delivered) in history(any_request())) {
            let heard = heard(&delivered);
            let counts = |(at, request): &(Stamp, Request)| !matches!(request, Request::Answer(_)) || heard.contains(at);
            let counted: Vec<_> = ordered.into_iter().filter(counts).collect();
            let [is, must_be] = [run(&delivered), run(&counted)];
            let since = |of: &Option<Membership>| of.as_ref().and_then(Membership::standing).map(|standing| standing.since);
            let in_force = |of: &Option<Membership>| of.as_ref().and_then(Membership::standing).and_then(Standing::in_force);
            prop_assert_eq!(since(&is), since(&must_be));
            match in_force(&is) {
                // By its stamp it came before there was a membership. It found one, and no later answer did.
                Some(answer) if Some(answer.at) < since(&is) => prop_assert_eq!(in_force(&must_be), None),
                _ => prop_assert_eq!(is.as_ref().and_then(Membership::status), must_be.as_ref().and_then(Membership::status)),
            }
        }

        #[test]
        fn the_owners_requests_give_the_same_membership_in_any_order((ordered, delivered) in history(owners_request())) {
            prop_assert_eq!(run(&ordered).map(forgetful), run(&delivered).map(forgetful));
        }

        #[test]
        fn a_revoke_always_revokes((ordered, delivered) in history(any_request())) {
            let newest = |wanted: fn(&Request) -> bool| ordered.iter().filter(|(_, r)| wanted(r)).map(|(at, _)| *at).max();
            let shared = newest(|r| matches!(r, Request::Share | Request::Grant));
            let unshared = newest(|r| matches!(r, Request::Unshare));
            let stands = run(&delivered).is_some_and(|m| m.standing().is_some());
            prop_assert_eq!(stands, shared > unshared);
        }

        #[test]
        fn what_is_done_at_once_takes_effect_whatever_came_before((_, delivered) in history(any_request())) {
            // Stamped by a machine whose clock is ahead.
            let ahead = |at: Stamp| Stamp::first_of(at.time().plus(std::time::Duration::from_hours(1_000_000)));
            let delivered: Vec<_> = delivered.into_iter().map(|(at, request)| (ahead(at), request)).collect();
            let current = run(&delivered);
            let now = Clock::of_server().stamp_after(current.as_ref().map(Membership::newest));
            let status = |membership: Option<Membership>| membership.and_then(|m| m.status());
            prop_assert_eq!(Membership::unshare(current.as_ref(), now).map(forgetful), Some(Membership::ended(now, None, false)));
            if status(current.clone()).is_some() {
                let answered = Membership::answer(current.as_ref(), now, Status::Rejected);
                prop_assert_eq!(status(answered.unwrap()), Some(Status::Rejected));
            } else {
                prop_assert_eq!(status(Membership::share(current.as_ref(), now)), Some(Status::Pending));
            }
        }

        #[test]
        fn nobody_consents_to_what_was_shared_after_a_withdrawal((ordered, delivered) in history(any_request())) {
            let newest = |wanted: fn(&Request) -> bool| ordered.iter().filter(|(_, r)| wanted(r)).map(|(at, _)| *at).max();
            let unshared = newest(|r| matches!(r, Request::Unshare));
            let granted = newest(|r| matches!(r, Request::Grant));
            if let Some(Membership::Standing(standing)) = run(&delivered)
                && standing.status() != Status::Pending
            {
                let needs_no_consent = standing.status() == Status::Accepted && granted > unshared;
                prop_assert!(standing.in_force().map(|answer| answer.at) > unshared || needs_no_consent);
            }
        }

        #[test]
        fn what_is_delivered_again_changes_nothing((ordered, delivered) in history(any_request())) {
            let end = run(&delivered);
            for (at, request) in &ordered {
                let again = apply(end.clone(), *at, *request);
                if !matches!(request, Request::Answer(_)) {
                    prop_assert_eq!(&again, &end);
                }
            }
        }

        #[test]
        fn in_order_it_is_the_plain_state_machine(requests in prop::collection::vec(any_request(), 1..20)) {
            // What the recipient sees, and whether it has said so itself.
            let mut plain: Option<(Status, bool)> = None;
            let mut ours = None;
            for (stamp, request) in (1..).map(at).zip(requests) {
                plain = match (plain, request) {
                    (None, Request::Share) => Some((Status::Pending, false)),
                    (None | Some((_, false)), Request::Grant) => Some((Status::Accepted, false)),
                    (None, _) | (_, Request::Unshare) => None,
                    (Some(_), Request::Answer(status)) => Some((status, true)),
                    (unchanged, Request::Share | Request::Grant) => unchanged,
                };
                ours = apply(ours, stamp, request);
                let status = ours.as_ref().and_then(Membership::status);
                prop_assert_eq!(status, plain.map(|(status, _)| status));
            }
        }
    }

    #[test]
    fn a_late_unshare_resets_consent_that_was_given_to_the_earlier_sharing() {
        let history = [
            (at(1), Request::Share),
            (at(2), Request::Answer(Status::Accepted)),
            (at(4), Request::Share),
            (at(3), Request::Unshare),
        ];
        let standing = run(&history).and_then(|m| m.standing().cloned()).unwrap();
        assert_eq!((standing.status(), standing.since), (Status::Pending, at(4)));
    }

    #[test]
    fn a_late_unshare_keeps_consent_that_was_given_to_the_later_sharing() {
        let history = [
            (at(1), Request::Share),
            (at(3), Request::Share),
            (at(4), Request::Answer(Status::Accepted)),
            (at(5), Request::Share),
            (at(2), Request::Unshare),
        ];
        let standing = run(&history).and_then(|m| m.standing().cloned()).unwrap();
        assert_eq!(
            (standing.status(), standing.since, standing.reshared),
            (Status::Accepted, at(3), vec![at(5)])
        );
    }

    #[test]
    fn an_answer_that_came_before_the_withdrawal_and_the_share_that_it_is_newer_than_is_kept() {
        let share = (at(1), Request::Share);
        let (unshare, again) = ((at(2), Request::Unshare), (at(3), Request::Share));
        for status in [Status::Accepted, Status::Rejected] {
            let answer = (at(4), Request::Answer(status));
            let told = |history: [_; 4]| (run(&history).and_then(|m| m.status()), heard(&history).len());
            let wanted = (Some(status), 1);
            assert_eq!(told([share, unshare, again, answer]), wanted);
            assert_eq!(told([share, answer, unshare, again]), wanted);
            assert_eq!(told([share, answer, again, unshare]), wanted);
            assert_eq!(told([again, answer, unshare, share]), wanted);
            assert_eq!(told([share, unshare, answer, again]), (Some(Status::Pending), 0), "told so");
        }
    }

    #[test]
    fn an_answer_is_not_to_what_was_shared_after_it_until_an_earlier_share_turns_up() {
        let history =
            [(at(1), Request::Share), (at(4), Request::Answer(Status::Accepted)), (at(2), Request::Unshare)];
        let ended = run(&history);
        let later = apply(ended.clone(), at(5), Request::Share);
        assert_eq!(later.as_ref().and_then(Membership::status), Some(Status::Pending));
        let earlier = apply(later, at(3), Request::Share);
        assert_eq!(earlier.as_ref().and_then(Membership::status), Some(Status::Accepted));
        // What is done at once comes after all that is remembered.
        assert_eq!(ended.as_ref().map(Membership::newest), Some(at(4)));
    }

    #[test]
    fn an_answer_is_to_the_share_that_it_found_where_a_clock_is_behind() {
        let found = [(at(3), Request::Share), (at(2), Request::Answer(Status::Accepted))];
        let late = [(at(0), Request::Share), (at(1), Request::Unshare)];
        for rest in [[late[0], late[1]], [late[1], late[0]]] {
            assert_eq!(run(&[found, rest].concat()).and_then(|m| m.status()), Some(Status::Accepted));
        }
    }

    #[test]
    fn a_grant_is_consent_until_the_recipient_says_something() {
        let granted = Membership::grant(None, at(1)).unwrap();
        let status = |membership: &Membership| membership.status().unwrap();
        assert_eq!(status(&granted), Status::Accepted);
        let rejected = Membership::answer(Some(&granted), at(2), Status::Rejected).unwrap().unwrap();
        assert_eq!(status(&Membership::grant(Some(&rejected), at(3)).unwrap()), Status::Rejected);
        let offered = Membership::share(None, at(1)).unwrap();
        assert_eq!(status(&Membership::grant(Some(&offered), at(2)).unwrap()), Status::Accepted);
        assert_eq!(status(&Membership::share(Some(&granted), at(2)).unwrap()), Status::Accepted);
    }

    #[test]
    fn a_late_unshare_takes_back_the_grant_before_it_and_not_the_one_after_it() {
        for (second, status) in [(Request::Share, Status::Pending), (Request::Grant, Status::Accepted)] {
            let history = [(at(1), Request::Grant), (at(3), second), (at(2), Request::Unshare)];
            let standing = run(&history).and_then(|m| m.standing().cloned()).unwrap();
            assert_eq!((standing.status(), standing.since), (status, at(3)));
        }
    }

    #[test]
    fn the_memory_of_repeated_shares_is_bounded() {
        let mut current = Membership::share(None, at(1));
        for minute in 2..100 {
            current = Membership::share(current.as_ref(), at(minute));
        }
        let standing = current.and_then(|m| m.standing().cloned()).unwrap();
        assert_eq!((standing.since, standing.reshared.len()), (at(1), SHARES_KEPT));
    }

    #[test]
    fn a_stranger_cannot_answer() {
        assert_eq!(Membership::answer(None, at(1), Status::Accepted), Err(NotAMember));
        assert_eq!(
            Membership::answer(Some(&Membership::ended(at(1), None, false)), at(2), Status::Accepted),
            Err(NotAMember)
        );
    }
}
