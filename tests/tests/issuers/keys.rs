//! The keys of an issuer, published at an address.

use super::*;

#[tokio::test]
async fn a_new_key_works_at_once_and_one_that_was_taken_out_ends_within_ten_minutes() {
    let issuer = Issuer::start().await;
    let authenticator = with_keys_at(&issuer);
    let now = Timestamp::now();
    issuer.answer(200, key_set(&["one"]));
    for _ in 0..3 {
        assert_eq!(bearer(&authenticator, &token("one"), now).await.unwrap().tenant.as_str(), "p1");
    }
    let asked = issuer.asked();
    assert_eq!((asked.len(), asked[0].uri().path()), (1, "/jwks.json"));

    issuer.answer(200, key_set(&["two"]));
    let later = now.plus(Duration::from_secs(30));
    assert!(bearer(&authenticator, &token("one"), later).await.is_ok());
    assert!(bearer(&authenticator, &token("two"), later).await.is_ok());
    assert_eq!(bearer(&authenticator, &token("one"), later).await, Err(Unauthenticated::UnknownKey.into()));

    issuer.answer(200, key_set(&["three"]));
    let last = later.plus(Duration::from_secs(599));
    assert!(bearer(&authenticator, &token("two"), last).await.is_ok());
    let much_later = later.plus(Duration::from_mins(10));
    assert_eq!(
        bearer(&authenticator, &token("two"), much_later).await,
        Err(Unauthenticated::UnknownKey.into())
    );
}

#[tokio::test]
async fn cached_token_ends_with_its_key() {
    for rest in [key_set(&["two"]), json!({"keys": []})] {
        let issuer = Issuer::start().await;
        let authenticator = with_keys_at(&issuer);
        let now = Timestamp::now();
        issuer.answer(200, key_set(&["one", "two"]));
        for _ in 0..2 {
            assert!(bearer(&authenticator, &token("one"), now).await.is_ok());
        }
        // The token of an unknown key has the keys fetched, long before the cached token would be verified again.
        issuer.answer(200, rest);
        let soon = now.plus(Duration::from_secs(30));
        assert!(bearer(&authenticator, &token("one"), soon).await.is_ok());
        assert!(bearer(&authenticator, &token("made-up"), soon).await.is_err());
        assert!(bearer(&authenticator, &token("one"), soon).await.is_err());
    }
}

#[tokio::test]
async fn made_up_keys_have_the_address_asked_once_in_30_seconds() {
    let issuer = Issuer::start().await;
    let authenticator = with_keys_at(&issuer);
    let now = Timestamp::now();
    issuer.answer(200, key_set(&["one"]));
    for second in 0..90 {
        let made_up = token(&format!("kid-{second}"));
        let refused = bearer(&authenticator, &made_up, now.plus(Duration::from_secs(second))).await;
        assert_eq!(refused, Err(Unauthenticated::UnknownKey.into()));
    }
    assert_eq!(issuer.asked().len(), 3);
}

#[tokio::test]
async fn nobody_whose_key_is_known_waits_for_a_question_that_another_request_asks() {
    let issuer = Issuer::start().await;
    let authenticator = with_keys_at(&issuer);
    let now = Timestamp::now();
    issuer.answer(200, key_set(&["one"]));
    assert!(bearer(&authenticator, &token("one"), now).await.is_ok());
    issuer.asked();

    let held = issuer.hold().await;
    let later = now.plus(Duration::from_mins(10));
    let (first, unknown) = (token("one"), token("made-up"));
    let (asks, made_up) = (authenticator.clone(), authenticator.clone());
    let asks = tokio::spawn(async move { bearer(&asks, &first, later).await });
    let made_up = tokio::spawn(async move { bearer(&made_up, &unknown, later).await });
    while issuer.asked().is_empty() {
        tokio::task::yield_now().await;
    }
    for _ in 0..16 {
        assert!(bearer(&authenticator, &token("one"), later).await.is_ok());
    }
    drop(held);
    assert!(asks.await.unwrap().is_ok());
    assert_eq!(made_up.await.unwrap(), Err(Unauthenticated::UnknownKey.into()));
    assert_eq!(issuer.asked().len(), 0, "one question for all of them");
}

#[tokio::test]
async fn a_published_key_that_is_not_for_us_is_skipped_and_a_published_secret_is_none() {
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
    issuer.answer(200, keys);
    let authenticator = with_keys_at(&issuer);
    assert!(bearer(&authenticator, &token("one"), Timestamp::now()).await.is_ok());
    for kid in [Some("secret".to_owned()), None] {
        let header = Header { kid, ..Header::new(Algorithm::HS256) };
        let forged = jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(secret)).unwrap();
        let refused = bearer(&authenticator, &forged, Timestamp::now()).await;
        assert_eq!(refused, Err(Unauthenticated::UnknownKey.into()));
    }
}

#[tokio::test]
async fn known_keys_are_used_for_a_day_while_the_address_fails() {
    let issuer = Issuer::start().await;
    let authenticator = with_keys_at(&issuer);
    let now = Timestamp::now();
    issuer.answer(200, json!({"keys": []}));
    for (status, body) in [
        (200, json!({"keys": []})),
        (200, json!("no keys")),
        (500, key_set(&["one"])),
        (302, key_set(&["one"])),
    ] {
        issuer.answer(status, body);
        let cold = with_keys_at(&issuer);
        assert!(matches!(bearer(&cold, &token("one"), now).await, Err(NotAdmitted::Issuer(_))));
    }
    issuer.answer(200, key_set(&["one"]));
    assert!(bearer(&authenticator, &token("one"), now).await.is_ok());
    issuer.answer(500, Value::Null);
    for hours in [1, 23] {
        let later = now.plus(Duration::from_hours(hours));
        assert!(bearer(&authenticator, &token("one"), later).await.is_ok());
    }
    let next_day = now.plus(Duration::from_hours(24));
    assert!(matches!(bearer(&authenticator, &token("one"), next_day).await, Err(NotAdmitted::Issuer(_))));
}

#[tokio::test]
async fn keys_that_were_all_taken_out_end_with_the_next_question() {
    let issuer = Issuer::start().await;
    let authenticator = with_keys_at(&issuer);
    let now = Timestamp::now();
    issuer.answer(200, key_set(&["one"]));
    assert!(bearer(&authenticator, &token("one"), now).await.is_ok());
    issuer.answer(200, json!({"keys": []}));
    let later = now.plus(Duration::from_mins(10));
    assert!(matches!(bearer(&authenticator, &token("one"), later).await, Err(NotAdmitted::Issuer(_))));
    issuer.answer(200, key_set(&["two"]));
    let soon = later.plus(Duration::from_secs(1));
    assert!(bearer(&authenticator, &token("two"), soon).await.is_ok());
}

#[tokio::test]
async fn who_waited_for_an_answer_does_not_ask_again() {
    let issuer = Issuer::start().await;
    let authenticator = with_keys_at(&issuer);
    issuer.answer(500, Value::Null);
    let held = issuer.hold().await;
    let now = Timestamp::now();
    let ask = |seconds| {
        let (authenticator, at) = (authenticator.clone(), now.plus(Duration::from_secs(seconds)));
        tokio::spawn(async move { bearer(&authenticator, &token("one"), at).await })
    };
    let mut waiting = vec![ask(0)];
    while issuer.asked().is_empty() {
        tokio::task::yield_now().await;
    }
    // Each comes so late that it might ask, were nobody asking: one after the other, they would wait ever longer.
    waiting.extend([2, 4, 6].map(ask));
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    drop(held);
    for waited in waiting {
        assert!(matches!(waited.await.unwrap(), Err(NotAdmitted::Issuer(_))));
    }
    assert_eq!(issuer.asked().len(), 0, "one question for all of them");
    assert!(ask(8).await.unwrap().is_err());
    assert_eq!(issuer.asked().len(), 1);
}
