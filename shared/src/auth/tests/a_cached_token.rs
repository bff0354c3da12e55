//! A token that was verified a short while ago, and is not verified again.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::*;

/// How many tokens the authenticator has verified, or tried to.
fn verifications(authenticator: &Authenticator) -> usize {
    let Keys::Fixed(keys) = &authenticator.trusted[0].keys else { panic!("fixed keys") };
    keys.verifications.load(Ordering::Relaxed)
}

fn start() -> Timestamp {
    Timestamp::from_unix_millis(NOW * 1000)
}

fn take_at(authenticator: &Authenticator, token: &str, now: Timestamp) -> Result<Caller, Unauthenticated> {
    authenticator.authenticate_at(&headers(&[("x-auth-token", token)]), now)
}

/// A token that is good for a day.
fn long_token(signer: &Signer) -> String {
    signer.sign(&claims_with("exp", json!(NOW + 86_400)))
}

#[test]
fn is_verified_once_in_five_minutes() {
    for signer in Signer::all() {
        let (authenticator, token) = (authenticator(), long_token(&signer));
        let first = take_at(&authenticator, &token, start());
        for seconds in [0, 1, 299] {
            let again = take_at(&authenticator, &token, start().plus(Duration::from_secs(seconds)));
            assert_eq!(again, first);
        }
        assert_eq!(verifications(&authenticator), 1);
        assert!(take_at(&authenticator, &token, start().plus(Duration::from_mins(5))).is_ok());
        assert_eq!(verifications(&authenticator), 2);
    }
}

#[test]
fn is_refused_once_it_has_expired() {
    let (authenticator, token) = (authenticator(), Signer::of(Algorithm::Rs256).sign(&claims()));
    let at = |seconds| take_at(&authenticator, &token, start().plus(Duration::from_secs(seconds)));
    assert!(at(0).is_ok());
    // It expires after 60 seconds, and an issuer's clock may be 30 seconds ahead.
    assert!(at(89).is_ok());
    for seconds in [90, 91, 299] {
        assert_eq!(at(seconds), Err(Unauthenticated::Expired), "{seconds}");
    }
}

#[test]
fn is_verified_again_where_the_clock_was_set_back() {
    let authenticator = authenticator();
    let token = Signer::of(Algorithm::EdDsa).sign(&claims_with("nbf", json!(NOW)));
    assert!(take_at(&authenticator, &token, start()).is_ok());
    let before = take_at(&authenticator, &token, start().minus(Duration::from_mins(2)));
    assert_eq!(before, Err(Unauthenticated::NotYetValid));
}

#[test]
fn makes_no_changed_token_pass() {
    let (authenticator, token) = (authenticator(), long_token(&Signer::of(Algorithm::Rs256)));
    assert!(take_at(&authenticator, &token, start()).is_ok());
    for place in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[place] ^= 1;
        let changed = String::from_utf8(bytes).unwrap();
        assert!(authenticator.token_of_others(&changed, start()).now_or_never().unwrap().is_err(), "{place}");
    }
    assert!(take_at(&authenticator, &token, start()).is_ok());
}

#[test]
fn is_dropped_when_a_thousand_others_came_after_it() {
    let (authenticator, signer) = (authenticator(), Signer::of(Algorithm::Hs256));
    let first = long_token(&signer);
    let take = |token: &str| take_at(&authenticator, token, start());
    assert!(take(&first).is_ok());
    for number in 0..10_000 {
        assert!(take(&signer.sign(&claims_with("sub", json!(format!("user-{number}"))))).is_ok());
    }
    assert_eq!(verifications(&authenticator), 10_001);
    assert!(take(&signer.sign(&claims_with("sub", json!("user-9000")))).is_ok());
    assert_eq!(verifications(&authenticator), 10_001, "one of the last thousand");
    assert!(take(&signer.sign(&claims_with("sub", json!("user-8999")))).is_ok());
    assert!(take(&first).is_ok());
    assert_eq!(verifications(&authenticator), 10_003, "dropped");
}

#[test]
fn is_refused_by_another_set_of_keys() {
    let token = long_token(&Signer::of(Algorithm::Es256));
    assert!(take_at(&authenticator(), &token, start()).is_ok());
    let others = authenticator_of(&[Signer::of(Algorithm::Rs256).jwk()], Expectations::default());
    assert_eq!(take_at(&others, &token, start()), Err(Unauthenticated::UnknownKey));
}
