//! Which headers may have the token.

use super::*;

#[test]
fn request_without_token_is_rejected() {
    let authenticator = authenticator();
    for none in [vec![], vec![("x-auth-token", "")], vec![("authorization", "Bearer  ")]] {
        assert_eq!(authenticator.check_headers(&none), Err(CredentialError::Missing), "{none:?}");
    }
}

#[test]
fn request_with_two_tokens_is_rejected() {
    let good = Signer::of(Algorithm::Hs256).sign(&claims());
    let other = format!("Bearer {}", Signer::of(Algorithm::Es256).sign(&claims()));
    let two = [("x-auth-token", good.as_str()), ("authorization", &other)];
    assert_eq!(authenticator().check_headers(&two), Err(CredentialError::Ambiguous));
    let twice = [("x-auth-token", good.as_str()), ("x-auth-token", "")];
    assert_eq!(authenticator().check_headers(&twice), Err(CredentialError::Ambiguous));
}

#[test]
fn unknown_auth_scheme_is_rejected_beside_valid_token() {
    let good = Signer::of(Algorithm::Hs256).sign(&claims());
    for scheme in ["Basic dTpw", "Bearer", good.as_str(), "", "SDK-HMAC-SHA256 Access=a"] {
        let result = authenticator().check_headers(&[("x-auth-token", &good), ("authorization", scheme)]);
        assert_eq!(result, Err(CredentialError::UnknownScheme), "{scheme}");
    }
}

#[test]
fn overlong_token_is_rejected_unparsed() {
    let long = claims_with("padding", json!("x".repeat(MAX_TOKEN_BYTES)));
    assert_eq!(check_claims(&long), Err(CredentialError::TooLong));
}
