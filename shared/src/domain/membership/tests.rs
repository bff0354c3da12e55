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
    ShareAutoAccepted,
    Unshare,
    Decide(Status),
}

fn apply(current: Option<Membership>, at: Stamp, request: Request) -> Option<Membership> {
    let next = match request {
        Request::Share => Membership::share(current.as_ref(), at),
        Request::ShareAutoAccepted => Membership::share_auto_accepted(current.as_ref(), at),
        Request::Unshare => Membership::unshare(current.as_ref(), at),
        Request::Decide(status) => Membership::decide(current.as_ref(), at, status).ok().flatten(),
    };
    next.or(current)
}

fn owner_request() -> impl Strategy<Value = Request> {
    prop_oneof![Just(Request::Share), Just(Request::ShareAutoAccepted), Just(Request::Unshare)]
}

fn any_request() -> impl Strategy<Value = Request> {
    let decision = prop::sample::select(&Status::ALL[..]).prop_map(Request::Decide);
    prop_oneof![2 => owner_request(), 1 => decision]
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

/// The same membership, without whether it was active before it ended: that depends on the order of execution.
fn without_was_active(membership: Membership) -> Membership {
    match membership {
        Membership::Ended(ended) => Membership::Ended(Ended { was_active: false, ..ended }),
        active @ Membership::Active(_) => active,
    }
}

fn apply_all(requests: &[(Stamp, Request)]) -> Option<Membership> {
    requests.iter().fold(None, |current, (at, request)| apply(current, *at, *request))
}

/// The decisions that found a membership, at the first delivery or at a later one.
fn applied_decisions(requests: &[(Stamp, Request)]) -> BTreeSet<Stamp> {
    let (mut current, mut applied) = (None, BTreeSet::new());
    for (at, request) in requests {
        if let Request::Decide(status) = request
            && Membership::decide(current.as_ref(), *at, *status).is_ok()
        {
            applied.insert(*at);
        }
        current = apply(current, *at, *request);
    }
    applied
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn later_request_wins_in_any_execution_order((ordered, delivered) in history(any_request())) {
        let applied = applied_decisions(&delivered);
        let counts = |(at, request): &(Stamp, Request)| !matches!(request, Request::Decide(_)) || applied.contains(at);
        let counted: Vec<_> = ordered.into_iter().filter(counts).collect();
        let [result, expected] = [apply_all(&delivered), apply_all(&counted)];
        let since = |of: &Option<Membership>| of.as_ref().and_then(Membership::active).map(|active| active.since);
        let in_force = |of: &Option<Membership>| of.as_ref().and_then(Membership::active).and_then(Active::effective_decision);
        prop_assert_eq!(since(&result), since(&expected));
        match in_force(&result) {
            // By its stamp it came before the membership began. It found one, and no later decision did.
            Some(decision) if Some(decision.at) < since(&result) => prop_assert_eq!(in_force(&expected), None),
            _ => prop_assert_eq!(result.as_ref().and_then(Membership::status), expected.as_ref().and_then(Membership::status)),
        }
    }

    #[test]
    fn owner_requests_commute((ordered, delivered) in history(owner_request())) {
        prop_assert_eq!(apply_all(&ordered).map(without_was_active), apply_all(&delivered).map(without_was_active));
    }

    #[test]
    fn unshare_ends_every_earlier_share((ordered, delivered) in history(any_request())) {
        let newest = |wanted: fn(&Request) -> bool| ordered.iter().filter(|(_, r)| wanted(r)).map(|(at, _)| *at).max();
        let shared = newest(|r| matches!(r, Request::Share | Request::ShareAutoAccepted));
        let unshared = newest(|r| matches!(r, Request::Unshare));
        let is_active = apply_all(&delivered).is_some_and(|m| m.active().is_some());
        prop_assert_eq!(is_active, shared > unshared);
    }

    #[test]
    fn immediate_request_overrides_any_history((_, delivered) in history(any_request())) {
        // Stamped by a machine whose clock is ahead.
        let ahead = |at: Stamp| Stamp::first_of(at.time().plus(std::time::Duration::from_hours(1_000_000)));
        let delivered: Vec<_> = delivered.into_iter().map(|(at, request)| (ahead(at), request)).collect();
        let current = apply_all(&delivered);
        let now = Clock::for_server().stamp_after(current.as_ref().map(Membership::newest_stamp));
        let status = |membership: Option<Membership>| membership.and_then(|m| m.status());
        prop_assert_eq!(Membership::unshare(current.as_ref(), now).map(without_was_active), Some(Membership::new_ended(now, None, false)));
        if status(current.clone()).is_some() {
            let decided = Membership::decide(current.as_ref(), now, Status::Rejected);
            prop_assert_eq!(status(decided.unwrap()), Some(Status::Rejected));
        } else {
            prop_assert_eq!(status(Membership::share(current.as_ref(), now)), Some(Status::Pending));
        }
    }

    #[test]
    fn decision_before_unshare_is_no_consent_to_later_share((ordered, delivered) in history(any_request())) {
        let newest = |wanted: fn(&Request) -> bool| ordered.iter().filter(|(_, r)| wanted(r)).map(|(at, _)| *at).max();
        let unshared = newest(|r| matches!(r, Request::Unshare));
        let auto_accepted = newest(|r| matches!(r, Request::ShareAutoAccepted));
        if let Some(Membership::Active(active)) = apply_all(&delivered)
            && active.status() != Status::Pending
        {
            let needs_no_consent = active.status() == Status::Accepted && auto_accepted > unshared;
            prop_assert!(active.effective_decision().map(|decision| decision.at) > unshared || needs_no_consent);
        }
    }

    #[test]
    fn redelivered_owner_request_changes_nothing((ordered, delivered) in history(any_request())) {
        let end = apply_all(&delivered);
        for (at, request) in &ordered {
            let again = apply(end.clone(), *at, *request);
            if !matches!(request, Request::Decide(_)) {
                prop_assert_eq!(&again, &end);
            }
        }
    }

    #[test]
    fn ordered_requests_match_simple_state_machine(requests in prop::collection::vec(any_request(), 1..20)) {
        // The status, and whether the recipient has set it.
        let mut simple: Option<(Status, bool)> = None;
        let mut current = None;
        for (stamp, request) in (1..).map(at).zip(requests) {
            simple = match (simple, request) {
                (None, Request::Share) => Some((Status::Pending, false)),
                (None | Some((_, false)), Request::ShareAutoAccepted) => Some((Status::Accepted, false)),
                (None, _) | (_, Request::Unshare) => None,
                (Some(_), Request::Decide(status)) => Some((status, true)),
                (unchanged, Request::Share | Request::ShareAutoAccepted) => unchanged,
            };
            current = apply(current, stamp, request);
            let status = current.as_ref().and_then(Membership::status);
            prop_assert_eq!(status, simple.map(|(status, _)| status));
        }
    }
}

#[test]
fn late_unshare_resets_consent_to_earlier_share() {
    let history = [
        (at(1), Request::Share),
        (at(2), Request::Decide(Status::Accepted)),
        (at(4), Request::Share),
        (at(3), Request::Unshare),
    ];
    let active = apply_all(&history).and_then(|m| m.active().cloned()).unwrap();
    assert_eq!((active.status(), active.since), (Status::Pending, at(4)));
}

#[test]
fn late_unshare_keeps_consent_to_later_share() {
    let history = [
        (at(1), Request::Share),
        (at(3), Request::Share),
        (at(4), Request::Decide(Status::Accepted)),
        (at(5), Request::Share),
        (at(2), Request::Unshare),
    ];
    let active = apply_all(&history).and_then(|m| m.active().cloned()).unwrap();
    assert_eq!((active.status(), active.since, active.reshared), (Status::Accepted, at(3), vec![at(5)]));
}

#[test]
fn decision_newer_than_reshare_survives_late_unshare() {
    let share = (at(1), Request::Share);
    let (unshare, again) = ((at(2), Request::Unshare), (at(3), Request::Share));
    for status in [Status::Accepted, Status::Rejected] {
        let decision = (at(4), Request::Decide(status));
        let status_and_applied = |history: [_; 4]| {
            (apply_all(&history).and_then(|m| m.status()), applied_decisions(&history).len())
        };
        let wanted = (Some(status), 1);
        assert_eq!(status_and_applied([share, unshare, again, decision]), wanted);
        assert_eq!(status_and_applied([share, decision, unshare, again]), wanted);
        assert_eq!(status_and_applied([share, decision, again, unshare]), wanted);
        assert_eq!(status_and_applied([again, decision, unshare, share]), wanted);
        assert_eq!(
            status_and_applied([share, unshare, decision, again]),
            (Some(Status::Pending), 0),
            "it fails"
        );
    }
}

#[test]
fn decision_applies_once_earlier_share_arrives() {
    let history =
        [(at(1), Request::Share), (at(4), Request::Decide(Status::Accepted)), (at(2), Request::Unshare)];
    let ended = apply_all(&history);
    let later = apply(ended.clone(), at(5), Request::Share);
    assert_eq!(later.as_ref().and_then(Membership::status), Some(Status::Pending));
    let earlier = apply(later, at(3), Request::Share);
    assert_eq!(earlier.as_ref().and_then(Membership::status), Some(Status::Accepted));
    // A request that is executed at once comes after every stamp that is stored.
    assert_eq!(ended.as_ref().map(Membership::newest_stamp), Some(at(4)));
}

#[test]
fn decision_with_slow_clock_applies_to_existing_share() {
    let found = [(at(3), Request::Share), (at(2), Request::Decide(Status::Accepted))];
    let late = [(at(0), Request::Share), (at(1), Request::Unshare)];
    for rest in [[late[0], late[1]], [late[1], late[0]]] {
        assert_eq!(apply_all(&[found, rest].concat()).and_then(|m| m.status()), Some(Status::Accepted));
    }
}

#[test]
fn auto_accepted_share_is_accepted_until_decision() {
    let auto_accepted = Membership::share_auto_accepted(None, at(1)).unwrap();
    let status = |membership: &Membership| membership.status().unwrap();
    assert_eq!(status(&auto_accepted), Status::Accepted);
    let rejected = Membership::decide(Some(&auto_accepted), at(2), Status::Rejected).unwrap().unwrap();
    assert_eq!(status(&Membership::share_auto_accepted(Some(&rejected), at(3)).unwrap()), Status::Rejected);
    let shared = Membership::share(None, at(1)).unwrap();
    assert_eq!(status(&Membership::share_auto_accepted(Some(&shared), at(2)).unwrap()), Status::Accepted);
    assert_eq!(status(&Membership::share(Some(&auto_accepted), at(2)).unwrap()), Status::Accepted);
}

#[test]
fn late_unshare_ends_only_earlier_auto_accepted_shares() {
    for (second, status) in
        [(Request::Share, Status::Pending), (Request::ShareAutoAccepted, Status::Accepted)]
    {
        let history = [(at(1), Request::ShareAutoAccepted), (at(3), second), (at(2), Request::Unshare)];
        let active = apply_all(&history).and_then(|m| m.active().cloned()).unwrap();
        assert_eq!((active.status(), active.since), (status, at(3)));
    }
}

#[test]
fn membership_says_by_which_policy_it_is_accepted() {
    let by = |membership: &Option<Membership>| {
        membership.as_ref().and_then(Membership::active).and_then(Active::accepted_by)
    };
    let policy = AcceptedBy::TrustedOwner;
    let trusted = Membership::share_accepted_by(None, at(2), policy);
    assert_eq!(
        (by(&trusted), trusted.as_ref().and_then(Membership::status)),
        (Some(policy), Some(Status::Accepted))
    );
    assert_eq!(by(&Membership::decide(trusted.as_ref(), at(3), Status::Accepted).unwrap()), None);
    // The newest auto-accepted share counts, in any order of execution.
    let later = Membership::share_auto_accepted(trusted.as_ref(), at(4));
    let earlier =
        Membership::share_accepted_by(Membership::share_auto_accepted(None, at(4)).as_ref(), at(2), policy);
    assert_eq!((by(&later), &earlier), (None, &later));
    let earlier = Membership::share_auto_accepted(trusted.as_ref(), at(1));
    assert_eq!(by(&earlier), Some(policy));
    // An unshare ends the acceptance of an earlier share, and leaves that of a later one.
    let again = Membership::share(trusted.as_ref(), at(5));
    assert_eq!(by(&Membership::unshare(again.as_ref(), at(3))), None);
    assert_eq!(by(&Membership::unshare(earlier.as_ref(), at(1))), Some(policy));
    // What an earlier release has written, and what it reads.
    let json = serde_json::to_string(&trusted).unwrap();
    assert!(json.contains(r#""accepted_by":"trusted_owner""#), "{json}");
    let old: Membership =
        serde_json::from_str(&json.replace(r#","accepted_by":"trusted_owner""#, "")).unwrap();
    assert_eq!((by(&Some(old.clone())), old.status()), (None, Some(Status::Accepted)));
}

#[test]
fn reshare_history_is_bounded() {
    let mut current = Membership::share(None, at(1));
    for minute in 2..100 {
        current = Membership::share(current.as_ref(), at(minute));
    }
    let active = current.and_then(|m| m.active().cloned()).unwrap();
    assert_eq!((active.since, active.reshared.len()), (at(1), MAX_RESHARES));
}

#[test]
fn stranger_cannot_decide() {
    assert_eq!(Membership::decide(None, at(1), Status::Accepted), Err(NotAMember));
    assert_eq!(
        Membership::decide(Some(&Membership::new_ended(at(1), None, false)), at(2), Status::Accepted),
        Err(NotAMember)
    );
}
