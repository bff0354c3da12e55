//! Valid tokens, and the caller that they name.

use super::*;

#[test]
fn valid_token_names_its_caller_under_every_algorithm() {
    for signer in Signer::all() {
        let caller = authenticator().check_token(&signer.sign(&claims())).unwrap();
        assert_eq!(caller.tenant.as_str(), "p1");
        assert_eq!(caller.account.as_deref(), Some("a1"));
        assert_eq!(caller.user.as_deref(), Some("u1"));
        assert_eq!(caller.role, Role::Member);
    }
}

#[test]
fn token_is_accepted_in_either_or_both_headers() {
    let token = Signer::of(Algorithm::Hs256).sign(&claims());
    let bearer = format!("Bearer {token}");
    let shouted = format!("BEARER  {token} ");
    let encoded = token.replace('.', "%2E").replace('-', "%2d");
    let authenticator = authenticator();
    for good in [
        vec![("authorization", bearer.as_str())],
        vec![("authorization", &shouted)],
        vec![("x-auth-token", &encoded)],
        vec![("x-auth-token", &token), ("authorization", &bearer)],
        vec![("x-auth-token", &token), ("x-auth-token", &encoded)],
    ] {
        assert!(authenticator.check_headers(&good).is_ok(), "{good:?}");
    }
}

#[test]
fn token_grants_its_strongest_role() {
    for (roles, strongest) in [
        (json!(["reader"]), Role::Reader),
        (json!(["reader", "Member", "swiftoperator"]), Role::Member),
        (json!(["member", "ADMIN", "reader"]), Role::Admin),
    ] {
        assert_eq!(check_claims(&claims_with("roles", roles)).unwrap().role, strongest);
    }
}

#[test]
fn kid_is_optional_if_one_key_fits_the_algorithm() {
    let signer = Signer::of(Algorithm::Es256);
    let token = signer.sign_text(r#"{"alg":"ES256"}"#, &claims().to_string());
    assert!(authenticator().check_token(&token).is_ok());
    let mut second = signer.jwk();
    second["kid"] = json!("second");
    let two = authenticator_with(&[signer.jwk(), second], ExpectedClaims::default());
    assert_eq!(two.check_token(&token), Err(CredentialError::MissingKeyId));
}

#[test]
fn account_and_user_claims_are_optional() {
    let claims = json!({"project_id": "p1", "account_id": null, "roles": ["reader"], "exp": NOW + 60});
    let caller = check_claims(&claims).unwrap();
    assert_eq!((caller.account, caller.user), (None, None));
}
