//! Keys that are kept in SSM or Secrets Manager, on clocks that the tests set.

use std::time::Duration;

use aws_sdk_dynamodb::config::Credentials;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use imageshare::auth::signature::SignatureError;
use imageshare::auth::{
    AuthError, Authenticator, CredentialError, ExpectedClaims, SecretReader, SecretStores,
};
use imageshare::domain::{Caller, Limits, Role, Timestamp};
use imageshare::usecases::{NewAccessKey, create_access_key};
use imageshare_tests::issuer::{key_set, sign_token};
use imageshare_tests::local_service::{LocalService, caller};
use imageshare_tests::secret_server::SecretServer;
use imageshare_tests::signer::{Signer, UnsignedRequest};
use imageshare_tests::table_server::REGION;
use serde_json::{Value, json};

const JWKS: &str = "secretsmanager:jwks";
const MASTER_KEYS: &str = "ssm:/master-keys";
const FIVE_MINUTES: Duration = Duration::from_mins(5);
const TEN_MINUTES: Duration = Duration::from_mins(10);

fn reader(server: &SecretServer, setting: &'static str, reference: &str) -> SecretReader {
    let stores = SecretStores {
        region: REGION.to_owned(),
        credentials: Credentials::from_keys("test", "test", Some("token".to_owned())),
        ssm_url: Some(server.endpoint()),
        secrets_manager_url: Some(server.endpoint()),
    };
    SecretReader::new(setting, reference.parse().unwrap(), &stores).unwrap()
}

/// An authenticator of tokens whose keys are kept in a secret.
fn token_authenticator(server: &SecretServer) -> Authenticator {
    let secret = reader(server, "IMAGESHARE_JWKS", JWKS);
    Authenticator::without_keys().with_jwks_secret(secret, ExpectedClaims::default())
}

/// An authenticator of access keys whose master keys are kept in a parameter.
fn key_authenticator(server: &SecretServer) -> Authenticator {
    let secret = reader(server, "IMAGESHARE_MASTER_KEYS", MASTER_KEYS);
    Authenticator::without_keys().with_master_keys_secret(secret)
}

fn set_keys(server: &SecretServer, kids: &[&str]) {
    server.set(JWKS, &key_set(kids).to_string());
}

fn set_master_keys(server: &SecretServer, keys: &[(&str, u8)]) {
    let entry = |(id, byte): &(&str, u8)| format!("{id}:{}", STANDARD.encode([*byte; 32]));
    server.set(MASTER_KEYS, &keys.iter().map(entry).collect::<Vec<_>>().join(","));
}

/// Verifies a token that is signed with the key of this id.
async fn verify(authenticator: &Authenticator, kid: &str, now: Timestamp) -> Result<(), AuthError> {
    let exp = Timestamp::now().unix_seconds() + 1_000_000;
    let token = sign_token(kid, &json!({"project_id": "p1", "roles": ["member"], "exp": exp}));
    authenticator.verify_external_token(&token, now).await.map(drop)
}

fn unknown_key() -> Result<(), AuthError> {
    Err(CredentialError::UnknownKey.into())
}

async fn new_access_key(authenticator: &Authenticator, local: &LocalService) -> Signer {
    let new =
        NewAccessKey { name: "ci".to_owned(), roles: vec![Role::Member], expires_at: None, secret: None };
    let made = create_access_key(&local.service, authenticator.keyring(), &caller("own1"), new, None).await;
    let (key, secret) = made.unwrap();
    Signer { key_id: key.id.to_string(), secret: secret.reveal().to_owned(), date: Timestamp::now() }
}

async fn authenticate(
    authenticator: &Authenticator,
    local: &LocalService,
    signer: &Signer,
    now: Timestamp,
) -> Result<Caller, AuthError> {
    let signer = Signer { date: now, ..signer.clone() };
    let wire = signer.sign_access(&UnsignedRequest::new("GET", "/v2/cloudimages"), &[]);
    let headers = wire.header_map();
    authenticator.authenticate(&wire.as_signed_request(&headers), &local.service.store, now).await
}

#[tokio::test]
async fn secret_is_read_again_in_the_background() {
    let server = SecretServer::start().await;
    set_keys(&server, &["one"]);
    let authenticator = token_authenticator(&server);
    let now = Timestamp::now();
    let later = now.plus(FIVE_MINUTES.saturating_sub(Duration::from_millis(1)));
    for at in [now, now, later] {
        assert_eq!(verify(&authenticator, "one", at).await, Ok(()));
    }
    assert_eq!(server.take_calls(), [JWKS]);

    set_keys(&server, &["two"]);
    let blocked = server.block_responses().await;
    let later = now.plus(FIVE_MINUTES);
    for _ in 0..10 {
        assert_eq!(verify(&authenticator, "one", later).await, Ok(()), "no request waits");
    }
    drop(blocked);
    let refreshed = async {
        while verify(&authenticator, "one", later).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(2), refreshed).await.expect("the removed key ends");
    assert_eq!(verify(&authenticator, "two", later).await, Ok(()));
    assert_eq!(server.take_calls(), [JWKS], "one call, in the background");
}

#[tokio::test]
async fn removed_key_is_rejected_after_an_idle_time() {
    let server = SecretServer::start().await;
    set_keys(&server, &["one"]);
    let authenticator = token_authenticator(&server);
    let now = Timestamp::now();
    assert_eq!(verify(&authenticator, "one", now).await, Ok(()));
    set_keys(&server, &["two"]);
    assert_eq!(verify(&authenticator, "one", now.plus(TEN_MINUTES)).await, unknown_key());
}

#[tokio::test]
async fn late_request_waits_for_a_read_in_the_background() {
    let server = SecretServer::start().await;
    set_keys(&server, &["one"]);
    let authenticator = token_authenticator(&server);
    let now = Timestamp::now();
    assert_eq!(verify(&authenticator, "one", now).await, Ok(()));
    set_keys(&server, &["two"]);
    let blocked = server.block_responses().await;
    server.take_calls();
    assert_eq!(verify(&authenticator, "one", now.plus(FIVE_MINUTES)).await, Ok(()));
    let unblock = async {
        while server.take_calls().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        drop(blocked);
    };
    let (late, ()) = tokio::join!(verify(&authenticator, "one", now.plus(TEN_MINUTES)), unblock);
    assert_eq!(late, unknown_key());
}

#[tokio::test]
async fn unknown_key_id_reads_the_secret_once_in_30_seconds() {
    let server = SecretServer::start().await;
    set_keys(&server, &["one"]);
    let authenticator = token_authenticator(&server);
    let now = Timestamp::now();
    for second in 0..90 {
        let made_up = format!("kid-{second}");
        assert_eq!(
            verify(&authenticator, &made_up, now.plus(Duration::from_secs(second))).await,
            unknown_key()
        );
    }
    assert_eq!(server.take_calls().len(), 3);
    set_keys(&server, &["one", "two"]);
    let later = now.plus(Duration::from_secs(95));
    for kid in ["two", "one"] {
        assert_eq!(verify(&authenticator, kid, later).await, Ok(()), "a new key works at once");
    }
}

#[tokio::test]
async fn failed_refresh_keeps_the_keys_for_a_day() {
    let server = SecretServer::start().await;
    set_keys(&server, &["one"]);
    let authenticator = token_authenticator(&server);
    let now = Timestamp::now();
    assert_eq!(authenticator.unusable_secrets(now).await, [""; 0]);
    let wrong = json!({"keys": [{"kty": "oct", "kid": "hidden", "k": "d2VhaydzZWNyZXQ"}]}).to_string();
    for (hours, fault) in [(1, "AccessDeniedException"), (2, "ResourceNotFoundException"), (3, "")] {
        if fault.is_empty() {
            server.set(JWKS, &wrong);
        } else {
            server.fail(JWKS, fault);
        }
        let at = now.plus(Duration::from_hours(hours));
        assert_eq!(authenticator.unusable_secrets(at).await, [""; 0]);
        assert_eq!(verify(&authenticator, "one", at).await, Ok(()));
    }
    assert_eq!(server.take_calls().len(), 4);
    let problem = authenticator.unusable_secrets(now.plus(Duration::from_hours(24))).await;
    let expected =
        "IMAGESHARE_JWKS: the secret secretsmanager:jwks holds a value that is not valid: correct it";
    assert_eq!(problem, [expected]);
}

#[tokio::test]
async fn each_fault_of_a_secret_is_named_without_its_value() {
    let server = SecretServer::start().await;
    for (fault, expected) in [
        ("ParameterNotFound", "does not exist: create it, or correct the reference"),
        (
            "AccessDeniedException",
            "may not be read: allow the function's role to read it, and to decrypt with its key",
        ),
        ("ThrottlingException", "cannot be read now, since its service does not respond"),
        ("InternalServerError", "cannot be read now, since its service does not respond"),
        ("ValidationException", "cannot be read: its service answered ValidationException"),
    ] {
        server.fail(MASTER_KEYS, fault);
        let problems = key_authenticator(&server).unusable_secrets(Timestamp::now()).await;
        let named = format!("IMAGESHARE_MASTER_KEYS: the parameter {MASTER_KEYS} {expected}");
        assert_eq!(problems, [named]);
    }
    for wrong in ["", ",", "a:d2VhaydzZWNyZXQ=", "d2VhaydzZWNyZXQ="] {
        server.set(MASTER_KEYS, wrong);
        let problems = key_authenticator(&server).unusable_secrets(Timestamp::now()).await;
        assert!(problems[0].ends_with("holds a value that is not valid: correct it"), "{problems:?}");
    }
}

#[tokio::test]
async fn unread_secret_is_tried_again_every_three_seconds() {
    let server = SecretServer::start().await;
    let authenticator = key_authenticator(&server);
    let now = Timestamp::now();
    for tenth in 0..60 {
        let at = now.plus(Duration::from_millis(tenth * 100));
        assert_eq!(authenticator.unusable_secrets(at).await.len(), 1);
    }
    assert_eq!(server.take_calls().len(), 2);
    set_master_keys(&server, &[("first", 1)]);
    assert_eq!(authenticator.unusable_secrets(now.plus(Duration::from_secs(6))).await, [""; 0]);
}

#[tokio::test]
async fn access_key_of_a_new_master_key_works_at_once() {
    let (server, local) = (SecretServer::start().await, LocalService::start(Limits::default()));
    set_master_keys(&server, &[("first", 1)]);
    let running = key_authenticator(&server);
    let now = Timestamp::now();
    assert_eq!(running.unusable_secrets(now).await, [""; 0]);
    let old = new_access_key(&running, &local).await;

    set_master_keys(&server, &[("second", 2), ("first", 1)]);
    let started = key_authenticator(&server);
    assert_eq!(started.unusable_secrets(now).await, [""; 0]);
    let new = new_access_key(&started, &local).await;
    server.take_calls();
    // Sooner than a made-up key may cause a call.
    let soon = now.plus(Duration::from_secs(2));
    for signer in [&new, &old, &new] {
        assert!(authenticate(&running, &local, signer, soon).await.is_ok());
    }
    assert_eq!(server.take_calls(), [MASTER_KEYS]);
}

#[tokio::test]
async fn access_key_of_a_removed_master_key_ends() {
    let (server, local) = (SecretServer::start().await, LocalService::start(Limits::default()));
    set_master_keys(&server, &[("first", 1)]);
    let authenticator = key_authenticator(&server);
    let now = Timestamp::now();
    assert_eq!(authenticator.unusable_secrets(now).await, [""; 0]);
    let old = new_access_key(&authenticator, &local).await;
    assert!(authenticate(&authenticator, &local, &old, now).await.is_ok());

    set_master_keys(&server, &[("second", 2)]);
    let later = now.plus(TEN_MINUTES);
    assert_eq!(authenticator.unusable_secrets(later).await, [""; 0]);
    server.take_calls();
    for second in 0..60 {
        let at = later.plus(Duration::from_secs(second));
        let refused = authenticate(&authenticator, &local, &old, at).await;
        assert_eq!(refused, Err(CredentialError::Signature(SignatureError::RetiredMasterKey).into()));
    }
    assert!(server.take_calls().len() <= 2, "not twice in 30 seconds");
}

#[tokio::test]
async fn made_up_own_token_causes_no_call() {
    let (server, local) = (SecretServer::start().await, LocalService::start(Limits::default()));
    set_master_keys(&server, &[("first", 1)]);
    let authenticator = key_authenticator(&server);
    let now = Timestamp::now();
    assert_eq!(authenticator.unusable_secrets(now).await, [""; 0]);
    let real = new_access_key(&authenticator, &local).await;
    server.take_calls();
    let encode = |part: Value| URL_SAFE_NO_PAD.encode(part.to_string());
    for subject in ["unknown", &real.key_id] {
        let header = encode(json!({"alg": "HS256", "kid": "imageshare:made-up"}));
        let claims = encode(json!({"sub": subject, "project_id": "own1", "iat": 0, "exp": i64::MAX}));
        let refused = authenticator
            .token_bearer(&format!("{header}.{claims}.AAAA"), &local.service.store, now.plus(TEN_MINUTES))
            .await;
        assert_eq!(refused, Err(CredentialError::UnknownKey.into()));
    }
    assert_eq!(server.take_calls(), [""; 0]);
}
