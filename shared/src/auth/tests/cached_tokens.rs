//! Recently verified tokens are not verified again, unless they have expired or changed.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::*;

/// Returns how many tokens the authenticator has verified, successfully or not.
fn verification_count(authenticator: &Authenticator) -> usize {
    let IssuerKeys::Fixed(keys) = &authenticator.trusted_issuers[0].keys else { panic!("fixed keys") };
    keys.verification_count.load(Ordering::Relaxed)
}

fn start_time() -> Timestamp {
    Timestamp::from_unix_millis(NOW * 1000)
}

fn check_token_at(
    authenticator: &Authenticator,
    token: &str,
    now: Timestamp,
) -> Result<Caller, CredentialError> {
    authenticator.authenticate_at(&headers(&[("x-auth-token", token)]), now)
}

/// Signs a token that is valid for a day.
fn day_token(signer: &Signer) -> String {
    signer.sign(&claims_with("exp", json!(NOW + 86_400)))
}

#[test]
fn cached_token_is_verified_once_in_five_minutes() {
    for signer in Signer::all() {
        let (authenticator, token) = (authenticator(), day_token(&signer));
        let first = check_token_at(&authenticator, &token, start_time());
        for seconds in [0, 1, 299] {
            let again =
                check_token_at(&authenticator, &token, start_time().plus(Duration::from_secs(seconds)));
            assert_eq!(again, first);
        }
        assert_eq!(verification_count(&authenticator), 1);
        assert!(check_token_at(&authenticator, &token, start_time().plus(Duration::from_mins(5))).is_ok());
        assert_eq!(verification_count(&authenticator), 2);
    }
}

#[test]
fn cached_token_is_rejected_once_expired() {
    let (authenticator, token) = (authenticator(), Signer::of(Algorithm::Rs256).sign(&claims()));
    let at =
        |seconds| check_token_at(&authenticator, &token, start_time().plus(Duration::from_secs(seconds)));
    assert!(at(0).is_ok());
    // It expires after 60 seconds, and an issuer's clock may be 30 seconds ahead.
    assert!(at(89).is_ok());
    for seconds in [90, 91, 299] {
        assert_eq!(at(seconds), Err(CredentialError::Expired), "{seconds}");
    }
}

#[test]
fn cached_token_is_verified_again_after_clock_moves_back() {
    let authenticator = authenticator();
    let token = Signer::of(Algorithm::EdDsa).sign(&claims_with("nbf", json!(NOW)));
    assert!(check_token_at(&authenticator, &token, start_time()).is_ok());
    let before = check_token_at(&authenticator, &token, start_time().minus(Duration::from_mins(2)));
    assert_eq!(before, Err(CredentialError::NotYetValid));
}

#[test]
fn tampered_copy_of_cached_token_is_rejected() {
    let (authenticator, token) = (authenticator(), day_token(&Signer::of(Algorithm::Rs256)));
    assert!(check_token_at(&authenticator, &token, start_time()).is_ok());
    for place in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[place] ^= 1;
        let changed = String::from_utf8(bytes).unwrap();
        assert!(
            authenticator.verify_external_token(&changed, start_time()).now_or_never().unwrap().is_err(),
            "{place}"
        );
    }
    assert!(check_token_at(&authenticator, &token, start_time()).is_ok());
}

#[test]
fn cached_token_is_evicted_after_a_thousand_others() {
    let (authenticator, signer) = (authenticator(), Signer::of(Algorithm::Hs256));
    let first = day_token(&signer);
    let check = |token: &str| check_token_at(&authenticator, token, start_time());
    assert!(check(&first).is_ok());
    for number in 0..10_000 {
        assert!(check(&signer.sign(&claims_with("sub", json!(format!("user-{number}"))))).is_ok());
    }
    assert_eq!(verification_count(&authenticator), 10_001);
    assert!(check(&signer.sign(&claims_with("sub", json!("user-9000")))).is_ok());
    assert_eq!(verification_count(&authenticator), 10_001, "one of the last thousand is cached");
    assert!(check(&signer.sign(&claims_with("sub", json!("user-8999")))).is_ok());
    assert!(check(&first).is_ok());
    assert_eq!(verification_count(&authenticator), 10_003, "older ones are evicted");
}

#[test]
fn cached_token_is_rejected_by_another_key_set() {
    let token = day_token(&Signer::of(Algorithm::Es256));
    assert!(check_token_at(&authenticator(), &token, start_time()).is_ok());
    let others = authenticator_with(&[Signer::of(Algorithm::Rs256).jwk()], ExpectedClaims::default());
    assert_eq!(check_token_at(&others, &token, start_time()), Err(CredentialError::UnknownKey));
}
