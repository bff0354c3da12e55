//! Where the token stands in the request.

use super::*;

#[test]
fn without_a_token_are_told_where_to_put_it() {
    let authenticator = authenticator();
    for none in [vec![], vec![("x-auth-token", "")], vec![("authorization", "Bearer  ")]] {
        assert_eq!(authenticator.take_headers(&none), Err(Unauthenticated::Missing), "{none:?}");
    }
}

#[test]
fn with_two_tokens_are_refused() {
    let good = Signer::of(Algorithm::Hs256).sign(&claims());
    let other = format!("Bearer {}", Signer::of(Algorithm::Es256).sign(&claims()));
    let two = [("x-auth-token", good.as_str()), ("authorization", &other)];
    assert_eq!(authenticator().take_headers(&two), Err(Unauthenticated::Ambiguous));
    let twice = [("x-auth-token", good.as_str()), ("x-auth-token", "")];
    assert_eq!(authenticator().take_headers(&twice), Err(Unauthenticated::Ambiguous));
}

#[test]
fn with_another_scheme_are_refused_even_beside_a_good_token() {
    let good = Signer::of(Algorithm::Hs256).sign(&claims());
    for scheme in ["Basic dTpw", "Bearer", good.as_str(), "", "SDK-HMAC-SHA256 Access=a"] {
        let refused = authenticator().take_headers(&[("x-auth-token", &good), ("authorization", scheme)]);
        assert_eq!(refused, Err(Unauthenticated::UnknownScheme), "{scheme}");
    }
}

#[test]
fn with_an_over_long_token_are_refused_unread() {
    let long = claims_with("padding", json!("x".repeat(LONGEST_TOKEN_BYTES)));
    assert_eq!(take_claims(&long), Err(Unauthenticated::TooLong));
}
