//! Tokens of others: their keys at an address, and a Keystone that is asked about them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod keys;
mod keystone;
mod settings;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use imageshare::auth::{Authenticator, Authorities, Expectations, NotAdmitted, Unauthenticated};
use imageshare::domain::{Caller, Limits, Role, Timestamp};
use imageshare::function::Function;
use imageshare_tests::events::HttpEvent;
use imageshare_tests::issuer::{self, Authority, Issuer, key_set};
use imageshare_tests::service::LocalService;
use imageshare_tests::world::{World, authenticator};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use lambda_http::request;
use serde_json::{Value, json};

const OPAQUE: &str = "gAAAAABo-a-token-of-keystone";

async fn bearer(authenticator: &Authenticator, token: &str, now: Timestamp) -> Result<Caller, NotAdmitted> {
    authenticator.token_of_others(token, now).await.map(|bearer| bearer.caller)
}

fn token(kid: &str) -> String {
    issuer::token(kid, &claims())
}

fn claims() -> Value {
    json!({"project_id": "p1", "roles": ["member"], "exp": Timestamp::now().unix_seconds() + 1_000_000})
}

fn with_keys_at(issuer: &Issuer) -> Authenticator {
    trusting_keys_at(issuer, &Authorities::default())
}

fn trusting_keys_at(issuer: &Issuer, authorities: &Authorities) -> Authenticator {
    let url = format!("{}/jwks.json", issuer.url());
    Authenticator::without_keys().with_jwks_url(&url, Expectations::default(), authorities).unwrap()
}

fn asking(keystone: &str) -> Authenticator {
    Authenticator::without_keys().with_keystone(keystone, &Authorities::default()).unwrap()
}

fn described(expires: Timestamp) -> Value {
    json!({"token": {
        "expires_at": expires.to_millis_text().replace('Z', "000Z"), "methods": ["password"],
        "project": {"id": "own1", "name": "demo", "domain": {"id": "default", "name": "Default"}},
        "user": {"id": "u-1", "name": "demo"}, "roles": [{"id": "r-1", "name": "reader"}, {"id": "r-2", "name": "member"}],
    }})
}

#[tokio::test]
async fn an_issuer_is_asked_over_tls_that_its_authority_vouches_for() {
    let authority = Authority::new();
    let named = Issuer::start_tls(&authority, "127.0.0.1").await;
    let trusted: Authorities = authority.pem().parse().unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), authority.pem()).unwrap();
    let read: Authorities = file.path().to_str().unwrap().parse().unwrap();
    let now = Timestamp::now();
    for authorities in [&trusted, &read] {
        named.answer(200, key_set(&["one"]));
        assert!(bearer(&trusting_keys_at(&named, authorities), &token("one"), now).await.is_ok());
        named.answer(200, described(now.plus(Duration::from_hours(1))));
        let keystone = Authenticator::without_keys().with_keystone(&named.url(), authorities).unwrap();
        assert!(bearer(&keystone, OPAQUE, now).await.is_ok());
    }
    named.asked();

    let other: Authorities = Authority::new().pem().parse().unwrap();
    let elsewhere = Issuer::start_tls(&authority, "keystone.example").await;
    for (issuer, authorities) in [(&named, &Authorities::default()), (&named, &other), (&elsewhere, &trusted)]
    {
        issuer.answer(200, described(now.plus(Duration::from_hours(1))));
        let keystone = Authenticator::without_keys().with_keystone(&issuer.url(), authorities).unwrap();
        let refused = bearer(&keystone, OPAQUE, now).await;
        assert!(matches!(refused, Err(NotAdmitted::Issuer(_))), "{refused:?}");
        assert!(issuer.asked().is_empty(), "a token was sent to whom nobody vouches for");
    }
}

#[tokio::test]
async fn a_client_whose_token_cannot_be_checked_is_told_to_come_again() {
    let issuer = Issuer::start().await;
    issuer.answer(500, Value::Null);
    let service = LocalService::start(Limits::default()).service;
    let authenticator = asking(&issuer.url());
    let event = HttpEvent::new("GET /v2/cloudimages", "/v2/cloudimages").token(OPAQUE).build();
    let request = request::from_str(&event.to_string()).unwrap();
    let reply = images::handle(&Function::new(service, authenticator), request).await;
    assert_eq!((reply.status().as_u16(), reply.headers()["retry-after"].to_str().unwrap()), (503, "1"));
}
