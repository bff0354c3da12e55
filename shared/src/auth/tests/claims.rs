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
        ("account_id", json!(7)),
        ("sub", json!({})),
        ("roles", json!("admin")),
        ("roles", json!(["admin", 1])),
        ("roles", Value::Null),
    ] {
        match take_claims(&claims_with(claim, value.clone())) {
            Err(ref error @ Unauthenticated::BadClaim { claim: ref named, .. }) => {
                assert_eq!(named, claim);
                assert!(!error.is_forbidden());
            }
            other => panic!("{claim} {value}: {other:?}"),
        }
    }
    for claim in ["exp", "roles"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(claim);
        let refused = take_claims(&claims);
        assert!(
            matches!(&refused, Err(Unauthenticated::BadClaim { claim: c, .. }) if c == claim),
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
    let (issuer, audience) = (Some("iam".to_owned()), Some("images".to_owned()));
    let expected = Expectations { issuer, audience, ..Expectations::default() };
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

#[test]
fn without_a_project_are_forbidden() {
    let mut without = claims();
    without.as_object_mut().unwrap().remove("project_id");
    for claims in [without, claims_with("project_id", Value::Null)] {
        let refused = take_claims(&claims).unwrap_err();
        assert_eq!(refused, Unauthenticated::NoProject);
        assert!(refused.is_forbidden());
    }
}

#[test]
fn stand_where_the_deployment_says() {
    let paths = "project=https://example.com/tenant,account=org.name,roles=realm_access.roles";
    let expected = Expectations { claims: paths.parse().unwrap(), ..Expectations::default() };
    let signer = Signer::of(Algorithm::EdDsa);
    let authenticator = authenticator_of(&[signer.jwk()], expected);
    let token = json!({"https://example.com/tenant": "p2", "org": {"name": "acme"}, "sub": "u1", "exp": NOW + 60,
        "realm_access": {"roles": ["offline_access", "Admin"]}, "project_id": "p1", "roles": ["reader"]});
    let caller = authenticator.take(&signer.sign(&token)).unwrap();
    assert_eq!((caller.tenant.as_str(), caller.role), ("p2", Role::Admin));
    assert_eq!((caller.account.as_deref(), caller.user.as_deref()), (Some("acme"), Some("u1")));
    assert_eq!(authenticator.take(&signer.sign(&claims())), Err(Unauthenticated::NoProject));
    let mut without_roles = token.clone();
    without_roles.as_object_mut().unwrap().remove("realm_access");
    let refused = authenticator.take(&signer.sign(&without_roles)).unwrap_err().to_string();
    assert!(refused.contains("claim realm_access.roles is missing or wrong"), "{refused}");
}
