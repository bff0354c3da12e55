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
