//! The claims that a correctly signed token must have.

use super::*;

#[test]
fn token_validity_period_allows_clock_leeway() {
    let leeway = i64::try_from(signed_token::CLOCK_LEEWAY.as_secs()).unwrap();
    for (claim, seconds, expected_error) in [
        ("exp", json!(NOW - leeway), Some(CredentialError::Expired)),
        ("exp", json!(NOW - leeway + 1), None),
        ("exp", json!(0.5), Some(CredentialError::Expired)),
        ("exp", json!(-1e300), Some(CredentialError::Expired)),
        ("exp", json!(1e300), None),
        ("nbf", json!(NOW + leeway + 1), Some(CredentialError::NotYetValid)),
        ("nbf", json!(NOW + leeway), None),
        ("iat", json!(NOW + leeway + 1), Some(CredentialError::NotYetValid)),
        ("iat", json!(NOW + leeway), None),
    ] {
        assert_eq!(
            check_claims(&claims_with(claim, seconds.clone())).err(),
            expected_error,
            "{claim} {seconds}"
        );
    }
}

#[test]
fn claim_of_wrong_type_is_rejected_by_name() {
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
        match check_claims(&claims_with(claim, value.clone())) {
            Err(ref error @ CredentialError::InvalidClaim { claim: ref named, .. }) => {
                assert_eq!(named, claim);
                assert!(!error.is_forbidden());
            }
            other => panic!("{claim} {value}: {other:?}"),
        }
    }
    for claim in ["exp", "roles"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(claim);
        let error = check_claims(&claims);
        assert!(
            matches!(&error, Err(CredentialError::InvalidClaim { claim: c, .. }) if c == claim),
            "{error:?}"
        );
    }
}

#[test]
fn token_without_valid_role_is_forbidden_and_lists_roles() {
    for roles in [json!([]), json!(["owner", "administrator", "admin "])] {
        let error = check_claims(&claims_with("roles", roles)).unwrap_err();
        assert!(error.is_forbidden());
        assert!(["admin", "member", "reader"].iter().all(|role| error.to_string().contains(role)));
    }
}

#[test]
fn configured_issuer_and_audience_are_required() {
    let signer = Signer::of(Algorithm::EdDsa);
    let (issuer, audience) = (Some("iam".to_owned()), Some("images".to_owned()));
    let expected = ExpectedClaims { issuer, audience, ..ExpectedClaims::default() };
    let authenticator = authenticator_with(&[signer.jwk()], expected);
    let check = |iss: Value, aud: Value| {
        let mut claims = claims_with("iss", iss);
        claims["aud"] = aud;
        authenticator.check_token(&signer.sign(&claims)).err()
    };
    assert_eq!(check(json!("iam"), json!("images")), None);
    assert_eq!(check(json!("iam"), json!(["other", "images"])), None);
    for iss in [json!("IAM"), json!(["iam"]), Value::Null, json!("")] {
        assert_eq!(check(iss, json!("images")), Some(CredentialError::WrongIssuer));
    }
    for aud in [json!("image"), json!([]), json!({"images": 1}), Value::Null, json!([["images"]])] {
        assert_eq!(check(json!("iam"), aud), Some(CredentialError::WrongAudience));
    }
    assert_eq!(authenticator.check_token(&signer.sign(&claims())), Err(CredentialError::WrongIssuer));
}

#[test]
fn token_without_project_is_forbidden() {
    let mut without = claims();
    without.as_object_mut().unwrap().remove("project_id");
    for claims in [without, claims_with("project_id", Value::Null)] {
        let error = check_claims(&claims).unwrap_err();
        assert_eq!(error, CredentialError::NoProject);
        assert!(error.is_forbidden());
    }
}

#[test]
fn claims_are_read_from_configured_paths() {
    let paths = "project=https://example.com/tenant,account=org.name,roles=realm_access.roles";
    let expected = ExpectedClaims { claim_paths: paths.parse().unwrap(), ..ExpectedClaims::default() };
    let signer = Signer::of(Algorithm::EdDsa);
    let authenticator = authenticator_with(&[signer.jwk()], expected);
    let token = json!({"https://example.com/tenant": "p2", "org": {"name": "acme"}, "sub": "u1", "exp": NOW + 60,
        "realm_access": {"roles": ["offline_access", "Admin"]}, "project_id": "p1", "roles": ["reader"]});
    let caller = authenticator.check_token(&signer.sign(&token)).unwrap();
    assert_eq!((caller.tenant.as_str(), caller.role), ("p2", Role::Admin));
    assert_eq!((caller.account.as_deref(), caller.user.as_deref()), (Some("acme"), Some("u1")));
    assert_eq!(authenticator.check_token(&signer.sign(&claims())), Err(CredentialError::NoProject));
    let mut without_roles = token.clone();
    without_roles.as_object_mut().unwrap().remove("realm_access");
    let error = authenticator.check_token(&signer.sign(&without_roles)).unwrap_err().to_string();
    assert!(error.contains("claim realm_access.roles is missing or wrong"), "{error}");
}
