//! Tokens of others: their keys at an address, and a Keystone that is asked about them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use imageshare::auth::{Authenticator, Expectations, NotAdmitted, Unauthenticated};
use imageshare::domain::{Caller, Limits, Role, Timestamp};
use imageshare::function::Function;
use imageshare_tests::events::HttpEvent;
use imageshare_tests::issuer::Issuer;
use imageshare_tests::service::LocalService;
use imageshare_tests::world::{World, authenticator};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use lambda_http::request;
use serde_json::{Value, json};

const OPAQUE: &str = "gAAAAABo-a-token-of-keystone";

async fn bearer(authenticator: &Authenticator, token: &str, now: Timestamp) -> Result<Caller, NotAdmitted> {
    authenticator.token_of_others(token, now).await
}

fn secret(kid: &str) -> Vec<u8> {
    format!("{kid}, a secret that every reader of this test knows").into_bytes()
}

fn key_set(kids: &[&str]) -> Value {
    let key = |kid: &&str| json!({"kty": "oct", "alg": "HS256", "kid": kid, "k": URL_SAFE_NO_PAD.encode(secret(kid))});
    json!({"keys": kids.iter().map(key).collect::<Vec<_>>()})
}

fn token(kid: &str) -> String {
    let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::HS256) };
    let claims =
        json!({"project_id": "p1", "roles": ["member"], "exp": Timestamp::now().unix_seconds() + 1_000_000});
    jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(&secret(kid))).unwrap()
}

fn with_keys_at(issuer: &Issuer) -> Authenticator {
    Authenticator::from_jwks_url(&format!("{}/jwks.json", issuer.url()), Expectations::default()).unwrap()
}

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
async fn known_keys_are_used_for_a_day_while_the_address_fails() {
    let issuer = Issuer::start().await;
    let authenticator = with_keys_at(&issuer);
    let now = Timestamp::now();
    issuer.answer(200, json!({"keys": []}));
    for (status, body) in [(200, json!({"keys": []})), (200, json!("no keys")), (500, key_set(&["one"]))] {
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

fn described(expires: Timestamp) -> Value {
    json!({"token": {
        "expires_at": expires.to_millis_text().replace('Z', "000Z"), "methods": ["password"],
        "project": {"id": "own1", "name": "demo", "domain": {"id": "default", "name": "Default"}},
        "user": {"id": "u-1", "name": "demo"}, "roles": [{"id": "r-1", "name": "reader"}, {"id": "r-2", "name": "member"}],
    }})
}

fn changed(mut answer: Value, member: &str, value: Value) -> Value {
    answer["token"][member] = value;
    answer
}

#[tokio::test]
async fn an_opaque_token_is_what_keystone_says_it_is() {
    let issuer = Issuer::start().await;
    let now = Timestamp::now();
    issuer.answer(200, described(now.plus(Duration::from_hours(1))));
    for end in ["", "/", "/v3", "/v3/"] {
        let authenticator =
            Authenticator::without_keys().with_keystone(&format!("{}{end}", issuer.url())).unwrap();
        let caller = bearer(&authenticator, OPAQUE, now).await.unwrap();
        let expected = Caller {
            tenant: "own1".parse().unwrap(),
            account: Some("default".to_owned()),
            user: Some("u-1".to_owned()),
            role: Role::Member,
        };
        assert_eq!(caller, expected);
        let asked = issuer.asked();
        assert_eq!((asked.len(), asked[0].uri().path()), (1, "/v3/auth/tokens"));
        for name in ["x-auth-token", "x-subject-token"] {
            assert_eq!(asked[0].headers()[name], HeaderValue::from_static(OPAQUE));
        }
    }
}

#[tokio::test]
async fn keystone_is_asked_about_a_token_once_a_minute_and_never_after_it_has_expired() {
    let issuer = Issuer::start().await;
    let authenticator = Authenticator::without_keys().with_keystone(&issuer.url()).unwrap();
    let now = Timestamp::now();
    issuer.answer(200, described(now.plus(Duration::from_secs(90))));
    for second in [0, 1, 59] {
        assert!(bearer(&authenticator, OPAQUE, now.plus(Duration::from_secs(second))).await.is_ok());
    }
    assert_eq!(issuer.asked().len(), 1);
    assert!(!format!("{authenticator:?}").contains("gAAAA"));
    assert!(bearer(&authenticator, OPAQUE, now.plus(Duration::from_mins(1))).await.is_ok());
    issuer.answer(404, Value::Null);
    let expired = now.plus(Duration::from_secs(91));
    assert_eq!(
        bearer(&authenticator, OPAQUE, expired).await,
        Err(Unauthenticated::NotIssued.into()),
        "revoked"
    );
}

#[tokio::test]
async fn what_keystone_does_not_vouch_for_is_refused_and_tried_again_where_it_does_not_answer() {
    let issuer = Issuer::start().await;
    let authenticator = Authenticator::without_keys().with_keystone(&issuer.url()).unwrap();
    let now = Timestamp::now();
    let good = described(now.plus(Duration::from_hours(1)));
    for (status, body, refusal) in [
        (404, Value::Null, Unauthenticated::NotIssued),
        (401, Value::Null, Unauthenticated::NotIssued),
        (200, changed(good.clone(), "project", Value::Null), Unauthenticated::NoProject),
        (200, changed(good.clone(), "roles", json!([{"name": "auditor"}])), Unauthenticated::NoRole),
        (200, described(now), Unauthenticated::Expired),
    ] {
        issuer.answer(status, body);
        assert_eq!(bearer(&authenticator, OPAQUE, now).await, Err(refusal.into()));
    }
    for (status, body) in [
        (500, Value::Null),
        (302, Value::Null),
        (200, json!({})),
        (200, changed(good.clone(), "expires_at", json!("soon"))),
        (200, json!("x".repeat(2_000_000))),
    ] {
        issuer.answer(status, body);
        assert!(matches!(bearer(&authenticator, OPAQUE, now).await, Err(NotAdmitted::Issuer(_))), "{status}");
    }
    issuer.answer(200, good);
    assert!(bearer(&authenticator, OPAQUE, now).await.is_ok(), "a refusal is not remembered");
}

#[tokio::test]
async fn keystone_is_not_asked_about_tokens_that_the_keys_tell_of() {
    let issuer = Issuer::start().await;
    let authenticator = authenticator().with_keystone(&issuer.url()).unwrap();
    let good = World::token("p1", "member");
    assert!(bearer(&authenticator, &good, Timestamp::now()).await.is_ok());
    let (message, _) = good.rsplit_once('.').unwrap();
    let forged = bearer(&authenticator, &format!("{message}.AAAA"), Timestamp::now()).await;
    assert_eq!(forged, Err(Unauthenticated::BadSignature.into()));
    assert_eq!(issuer.asked().len(), 0);
    let foreign = bearer(&authenticator, &token("keystones"), Timestamp::now()).await;
    assert_eq!((foreign, issuer.asked().len()), (Err(Unauthenticated::NotIssued.into()), 1));
}

#[tokio::test]
async fn a_client_whose_token_cannot_be_checked_is_told_to_come_again() {
    let issuer = Issuer::start().await;
    issuer.answer(500, Value::Null);
    let service = LocalService::start(Limits::default()).service;
    let authenticator = Authenticator::without_keys().with_keystone(&issuer.url()).unwrap();
    let event = HttpEvent::new("GET /v2/cloudimages", "/v2/cloudimages").token(OPAQUE).build();
    let request = request::from_str(&event.to_string()).unwrap();
    let reply = images::handle(&Function { service, authenticator }, request).await;
    assert_eq!((reply.status().as_u16(), reply.headers()["retry-after"].to_str().unwrap()), (503, "1"));
}
