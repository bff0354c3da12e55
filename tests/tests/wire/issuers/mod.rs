//! Tokens of other issuers: keys at a URL, and a Keystone that validates tokens.

mod jwks;
mod keystone;
mod settings;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use imageshare::auth::{AuthError, Authenticator, CertificateAuthorities, CredentialError, ExpectedClaims};
use imageshare::domain::{Caller, Limits, Role, Timestamp};
use imageshare::function::HttpFunction;
use imageshare_tests::deployment::{Deployment, authenticator};
use imageshare_tests::events::HttpEvent;
use imageshare_tests::issuer::{self, CertificateAuthority, Issuer, key_set};
use imageshare_tests::local_service::LocalService;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use lambda_http::request;
use serde_json::{Value, json};

const OPAQUE_TOKEN: &str = "gAAAAABo-a-token-of-keystone";

async fn authenticate(
    authenticator: &Authenticator,
    token: &str,
    now: Timestamp,
) -> Result<Caller, AuthError> {
    authenticator.verify_external_token(token, now).await.map(|bearer| bearer.caller)
}

fn token(kid: &str) -> String {
    issuer::sign_token(kid, &claims())
}

fn claims() -> Value {
    json!({"project_id": "p1", "roles": ["member"], "exp": Timestamp::now().unix_seconds() + 1_000_000})
}

fn authenticator_with_jwks(issuer: &Issuer) -> Authenticator {
    authenticator_with_jwks_and_authorities(issuer, &CertificateAuthorities::default())
}

fn authenticator_with_jwks_and_authorities(
    issuer: &Issuer,
    authorities: &CertificateAuthorities,
) -> Authenticator {
    let url = format!("{}/jwks.json", issuer.url());
    Authenticator::without_keys().with_jwks_url(&url, ExpectedClaims::default(), authorities).unwrap()
}

fn authenticator_with_keystone(keystone: &str) -> Authenticator {
    Authenticator::without_keys().with_keystone(keystone, &CertificateAuthorities::default()).unwrap()
}

fn keystone_token(expires: Timestamp) -> Value {
    json!({"token": {
        "expires_at": expires.to_iso_millis().replace('Z', "000Z"), "methods": ["password"],
        "project": {"id": "own1", "name": "demo", "domain": {"id": "default", "name": "Default"}},
        "user": {"id": "u-1", "name": "demo"}, "roles": [{"id": "r-1", "name": "reader"}, {"id": "r-2", "name": "member"}],
    }})
}

#[tokio::test]
async fn issuer_certificate_is_verified_with_the_given_authorities() {
    let authority = CertificateAuthority::new();
    let named = Issuer::start_tls(&authority, "127.0.0.1").await;
    let trusted: CertificateAuthorities = authority.pem().parse().unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), authority.pem()).unwrap();
    let read: CertificateAuthorities = file.path().to_str().unwrap().parse().unwrap();
    let now = Timestamp::now();
    for authorities in [&trusted, &read] {
        named.set_response(200, key_set(&["one"]));
        assert!(
            authenticate(&authenticator_with_jwks_and_authorities(&named, authorities), &token("one"), now)
                .await
                .is_ok()
        );
        named.set_response(200, keystone_token(now.plus(Duration::from_hours(1))));
        let keystone = Authenticator::without_keys().with_keystone(&named.url(), authorities).unwrap();
        assert!(authenticate(&keystone, OPAQUE_TOKEN, now).await.is_ok());
    }
    named.take_requests();

    let other: CertificateAuthorities = CertificateAuthority::new().pem().parse().unwrap();
    let elsewhere = Issuer::start_tls(&authority, "keystone.example").await;
    for (issuer, authorities) in
        [(&named, &CertificateAuthorities::default()), (&named, &other), (&elsewhere, &trusted)]
    {
        issuer.set_response(200, keystone_token(now.plus(Duration::from_hours(1))));
        let keystone = Authenticator::without_keys().with_keystone(&issuer.url(), authorities).unwrap();
        let refused = authenticate(&keystone, OPAQUE_TOKEN, now).await;
        assert!(matches!(refused, Err(AuthError::IssuerUnavailable(_))), "{refused:?}");
        assert!(issuer.take_requests().is_empty(), "a token was sent to an untrusted server");
    }
}

#[tokio::test]
async fn unavailable_issuer_returns_503_with_retry_after() {
    let issuer = Issuer::start().await;
    issuer.set_response(500, Value::Null);
    let service = LocalService::start(Limits::default()).service;
    let authenticator = authenticator_with_keystone(&issuer.url());
    let event = HttpEvent::new("GET /v2/cloudimages", "/v2/cloudimages").token(OPAQUE_TOKEN).build();
    let request = request::from_str(&event.to_string()).unwrap();
    let reply = images::handle(&HttpFunction::new(service, authenticator), request).await;
    assert_eq!((reply.status().as_u16(), reply.headers()["retry-after"].to_str().unwrap()), (503, "1"));
}
