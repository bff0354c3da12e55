//! An issuer that publishes its keys at a URL.

use super::*;

#[tokio::test]
async fn new_key_works_immediately_and_removed_key_expires_in_10_min() {
    let issuer = Issuer::start().await;
    let authenticator = authenticator_with_jwks(&issuer);
    let now = Timestamp::now();
    issuer.set_response(200, key_set(&["one"]));
    for _ in 0..3 {
        assert_eq!(authenticate(&authenticator, &token("one"), now).await.unwrap().tenant.as_str(), "p1");
    }
    let requests = issuer.take_requests();
    assert_eq!((requests.len(), requests[0].uri().path()), (1, "/jwks.json"));

    issuer.set_response(200, key_set(&["two"]));
    let later = now.plus(Duration::from_secs(30));
    assert!(authenticate(&authenticator, &token("one"), later).await.is_ok());
    assert!(authenticate(&authenticator, &token("two"), later).await.is_ok());
    assert_eq!(
        authenticate(&authenticator, &token("one"), later).await,
        Err(CredentialError::UnknownKey.into())
    );

    issuer.set_response(200, key_set(&["three"]));
    let last = later.plus(Duration::from_secs(599));
    assert!(authenticate(&authenticator, &token("two"), last).await.is_ok());
    let much_later = later.plus(Duration::from_mins(10));
    assert_eq!(
        authenticate(&authenticator, &token("two"), much_later).await,
        Err(CredentialError::UnknownKey.into())
    );
}

#[tokio::test]
async fn cached_token_expires_with_its_key() {
    for rest in [key_set(&["two"]), json!({"keys": []})] {
        let issuer = Issuer::start().await;
        let authenticator = authenticator_with_jwks(&issuer);
        let now = Timestamp::now();
        issuer.set_response(200, key_set(&["one", "two"]));
        for _ in 0..2 {
            assert!(authenticate(&authenticator, &token("one"), now).await.is_ok());
        }
        // A token with an unknown key id triggers a fetch, long before the cached token would be verified again.
        issuer.set_response(200, rest);
        let soon = now.plus(Duration::from_secs(30));
        assert!(authenticate(&authenticator, &token("one"), soon).await.is_ok());
        assert!(authenticate(&authenticator, &token("made-up"), soon).await.is_err());
        assert!(authenticate(&authenticator, &token("one"), soon).await.is_err());
    }
}

#[tokio::test]
async fn unknown_keys_trigger_one_fetch_per_30_seconds() {
    let issuer = Issuer::start().await;
    let authenticator = authenticator_with_jwks(&issuer);
    let now = Timestamp::now();
    issuer.set_response(200, key_set(&["one"]));
    for second in 0..90 {
        let made_up = token(&format!("kid-{second}"));
        let refused = authenticate(&authenticator, &made_up, now.plus(Duration::from_secs(second))).await;
        assert_eq!(refused, Err(CredentialError::UnknownKey.into()));
    }
    assert_eq!(issuer.take_requests().len(), 3);
}

#[tokio::test]
async fn cached_key_does_not_wait_for_a_fetch_in_progress() {
    let issuer = Issuer::start().await;
    let authenticator = authenticator_with_jwks(&issuer);
    let now = Timestamp::now();
    issuer.set_response(200, key_set(&["one"]));
    assert!(authenticate(&authenticator, &token("one"), now).await.is_ok());
    issuer.take_requests();

    let held = issuer.block_responses().await;
    let later = now.plus(Duration::from_mins(10));
    let (first, unknown) = (token("one"), token("made-up"));
    let (asks, made_up) = (authenticator.clone(), authenticator.clone());
    let asks = tokio::spawn(async move { authenticate(&asks, &first, later).await });
    let made_up = tokio::spawn(async move { authenticate(&made_up, &unknown, later).await });
    while issuer.take_requests().is_empty() {
        tokio::task::yield_now().await;
    }
    for _ in 0..16 {
        assert!(authenticate(&authenticator, &token("one"), later).await.is_ok());
    }
    drop(held);
    assert!(asks.await.unwrap().is_ok());
    assert_eq!(made_up.await.unwrap(), Err(CredentialError::UnknownKey.into()));
    assert_eq!(issuer.take_requests().len(), 0, "one question for all of them");
}

#[tokio::test]
async fn unsupported_and_symmetric_published_keys_are_ignored() {
    let issuer = Issuer::start().await;
    let secret = b"a secret that every reader of this test knows";
    let mut keys = key_set(&["one"]);
    for other in [
        json!({"kty": "EC", "crv": "P-384", "kid": "p384", "x": "AA", "y": "AA"}),
        json!({"kty": "RSA", "alg": "PS512", "kid": "ps512", "n": "AA", "e": "AQAB"}),
        json!({"kty": "oct", "alg": "HS256", "kid": "secret", "k": URL_SAFE_NO_PAD.encode(secret)}),
        json!(7),
    ] {
        keys["keys"].as_array_mut().unwrap().insert(0, other);
    }
    issuer.set_response(200, keys);
    let authenticator = authenticator_with_jwks(&issuer);
    assert!(authenticate(&authenticator, &token("one"), Timestamp::now()).await.is_ok());
    for kid in [Some("secret".to_owned()), None] {
        let header = Header { kid, ..Header::new(Algorithm::HS256) };
        let forged = jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(secret)).unwrap();
        let refused = authenticate(&authenticator, &forged, Timestamp::now()).await;
        assert_eq!(refused, Err(CredentialError::UnknownKey.into()));
    }
}

#[tokio::test]
async fn cached_keys_are_used_for_a_day_while_the_issuer_fails() {
    let issuer = Issuer::start().await;
    let authenticator = authenticator_with_jwks(&issuer);
    let now = Timestamp::now();
    issuer.set_response(200, json!({"keys": []}));
    for (status, body) in [
        (200, json!({"keys": []})),
        (200, json!("no keys")),
        (500, key_set(&["one"])),
        (302, key_set(&["one"])),
    ] {
        issuer.set_response(status, body);
        let cold = authenticator_with_jwks(&issuer);
        assert!(matches!(
            authenticate(&cold, &token("one"), now).await,
            Err(AuthError::IssuerUnavailable(_))
        ));
    }
    issuer.set_response(200, key_set(&["one"]));
    assert!(authenticate(&authenticator, &token("one"), now).await.is_ok());
    issuer.set_response(500, Value::Null);
    for hours in [1, 23] {
        let later = now.plus(Duration::from_hours(hours));
        assert!(authenticate(&authenticator, &token("one"), later).await.is_ok());
    }
    let next_day = now.plus(Duration::from_hours(24));
    assert!(matches!(
        authenticate(&authenticator, &token("one"), next_day).await,
        Err(AuthError::IssuerUnavailable(_))
    ));
}

#[tokio::test]
async fn empty_key_set_revokes_all_keys_at_the_next_fetch() {
    let issuer = Issuer::start().await;
    let authenticator = authenticator_with_jwks(&issuer);
    let now = Timestamp::now();
    issuer.set_response(200, key_set(&["one"]));
    assert!(authenticate(&authenticator, &token("one"), now).await.is_ok());
    issuer.set_response(200, json!({"keys": []}));
    let later = now.plus(Duration::from_mins(10));
    assert!(matches!(
        authenticate(&authenticator, &token("one"), later).await,
        Err(AuthError::IssuerUnavailable(_))
    ));
    issuer.set_response(200, key_set(&["two"]));
    let soon = later.plus(Duration::from_secs(1));
    assert!(authenticate(&authenticator, &token("two"), soon).await.is_ok());
}

#[tokio::test]
async fn waiting_requests_share_one_failed_fetch() {
    let issuer = Issuer::start().await;
    let authenticator = authenticator_with_jwks(&issuer);
    issuer.set_response(500, Value::Null);
    let held = issuer.block_responses().await;
    let now = Timestamp::now();
    let request = |seconds| {
        let (authenticator, at) = (authenticator.clone(), now.plus(Duration::from_secs(seconds)));
        tokio::spawn(async move { authenticate(&authenticator, &token("one"), at).await })
    };
    let mut waiting = vec![request(0)];
    while issuer.take_requests().is_empty() {
        tokio::task::yield_now().await;
    }
    // Each comes late enough to fetch if no fetch were in progress: one after the other, they would wait longer and
    // longer.
    waiting.extend([2, 4, 6].map(request));
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    drop(held);
    for waited in waiting {
        assert!(matches!(waited.await.unwrap(), Err(AuthError::IssuerUnavailable(_))));
    }
    assert_eq!(issuer.take_requests().len(), 0, "one question for all of them");
    assert!(request(8).await.unwrap().is_err());
    assert_eq!(issuer.take_requests().len(), 1);
}
