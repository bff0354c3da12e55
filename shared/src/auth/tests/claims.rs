//! What a rightly signed token must say.

use super::*;

#[test]
fn hold_from_their_start_to_their_end_give_or_take_the_leeway() {
    let leeway = i64::try_from(token::LEEWAY.as_secs()).unwrap();
    for (claim, seconds, refusal) in [
        ("exp", json!(NOW - leeway), Some(Unauthenticated::Expired)),
        ("exp", json!(NOW - leeway + 1), None),
        ("exp", json!(0.5), Some(Unauthenticated::Expired)),
        ("exp", json!(-1e300), Some(Unauthenticated::Expired)),
        ("exp", json!(1e300), None),
        ("nbf", json!(NOW + leeway + 1), Some(Unauthenticated::NotYetValid)),
        ("nbf", json!(NOW + leeway), None),
        ("iat", json!(NOW + leeway + 1), Some(Unauthenticated::NotYetValid)),
        ("iat", json!(NOW + leeway), None),
    ] {
        assert_eq!(take_claims(&claims_with(claim, seconds.clone())).err(), refusal, "{claim} {seconds}");
    }
}

#[test]
fn of_the_wrong_type_are_refused_by_name() {
    let text = json!("1900000000");
    for (claim, value) in [
        ("exp", text.clone()),
        ("exp", Value::Null),
        ("nbf", text.clone()),
        ("nbf", Value::Null),
        ("iat", json!([])),
        ("project_id", json!(7)),
        ("project_id", json!("a/b")),
        ("project_id", json!("")),
        ("project_id", Value::Null),
        ("account_id", json!(7)),
        ("sub", json!({})),
        ("roles", json!("admin")),
        ("roles", json!(["admin", 1])),
        ("roles", Value::Null),
    ] {
        match take_claims(&claims_with(claim, value.clone())) {
            Err(error @ Unauthenticated::BadClaim { claim: named, .. }) => {
                assert_eq!(named, claim);
                assert!(!error.is_forbidden());
            }
            other => panic!("{claim} {value}: {other:?}"),
        }
    }
    for claim in ["exp", "project_id", "roles"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(claim);
        let refused = take_claims(&claims);
        assert!(
            matches!(refused, Err(Unauthenticated::BadClaim { claim: c, .. }) if c == claim),
            "{refused:?}"
        );
    }
}

#[test]
fn without_a_known_role_are_forbidden_and_told_the_roles() {
    for roles in [json!([]), json!(["owner", "administrator", "admin "])] {
        let refused = take_claims(&claims_with("roles", roles)).unwrap_err();
        assert!(refused.is_forbidden());
        assert!(["admin", "member", "reader"].iter().all(|role| refused.to_string().contains(role)));
    }
}

#[test]
fn name_the_issuer_and_audience_where_they_are_configured() {
    let signer = Signer::of(Algorithm::EdDsa);
    let expected = Expectations { issuer: Some("iam".to_owned()), audience: Some("images".to_owned()) };
    let authenticator = authenticator_of(&[signer.jwk()], expected);
    let take = |iss: Value, aud: Value| {
        let mut claims = claims_with("iss", iss);
        claims["aud"] = aud;
        authenticator.take(&signer.sign(&claims)).err()
    };
    assert_eq!(take(json!("iam"), json!("images")), None);
    assert_eq!(take(json!("iam"), json!(["other", "images"])), None);
    for iss in [json!("IAM"), json!(["iam"]), Value::Null, json!("")] {
        assert_eq!(take(iss, json!("images")), Some(Unauthenticated::WrongIssuer));
    }
    for aud in [json!("image"), json!([]), json!({"images": 1}), Value::Null, json!([["images"]])] {
        assert_eq!(take(json!("iam"), aud), Some(Unauthenticated::WrongAudience));
    }
    assert_eq!(authenticator.take(&signer.sign(&claims())), Err(Unauthenticated::WrongIssuer));
}
