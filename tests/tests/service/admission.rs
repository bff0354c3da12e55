//! Authentication by signature, on clocks that the tests set, without HTTP.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use imageshare::auth::signature::SignatureError as Fault;
use imageshare::auth::{AuthError, Authenticator, CredentialError, MasterKeys};
use imageshare::domain::{Caller, Limits, Role, Timestamp};
use imageshare::usecases::{NewAccessKey, create_access_key, disable_access_key};
use imageshare_tests::deployment::authenticator;
use imageshare_tests::local_service::{LocalService, caller};
use imageshare_tests::signature_vectors::{SignatureVector, query_parameters};
use imageshare_tests::signer::{Signer, UnsignedRequest, WireRequest};

/// An authenticator, and its table.
struct Fixture {
    local: LocalService,
    authenticator: Authenticator,
}

fn master_key(id: &str, byte: u8) -> String {
    format!("{id}:{}", STANDARD.encode([byte; 32]))
}

impl Fixture {
    fn new() -> Self {
        let local = LocalService::start(Limits::default());
        Self { local, authenticator: authenticator_with_master_keys(&master_key("first", 1)) }
    }

    async fn signer(&self, at: Timestamp) -> Signer {
        let new =
            NewAccessKey { name: "ci".to_owned(), roles: vec![Role::Member], expires_at: None, secret: None };
        let keyring = self.authenticator.keyring();
        let made = create_access_key(&self.local.service, keyring, &caller("own1"), new, None).await;
        let (key, secret) = made.unwrap();
        Signer { key_id: key.id.to_string(), secret: secret.reveal().to_owned(), date: at }
    }

    async fn authenticate(
        &self,
        wire: &WireRequest,
        is_alibaba: bool,
        now: Timestamp,
    ) -> Result<Caller, AuthError> {
        let headers = wire.header_map();
        let (request, store) = (wire.as_signed_request(&headers), &self.local.service.store);
        if is_alibaba {
            self.authenticator.authenticate_rpc(&request, &query_parameters(&wire.query), store, now).await
        } else {
            self.authenticator.authenticate(&request, store, now).await
        }
    }
}

fn authenticator_with_master_keys(keys: &str) -> Authenticator {
    authenticator().with_master_keys(MasterKeys::parse(keys).unwrap())
}

fn signature_error(fault: Fault) -> Result<Caller, AuthError> {
    Err(AuthError::Credential(CredentialError::Signature(fault)))
}

fn sign_rpc(signer: &Signer, nonce: &str) -> WireRequest {
    let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let parameters = [own("Action", "DescribeImages"), own("Version", "2020-09-30")];
    let mut request = UnsignedRequest::new("POST", "/");
    request.query = signer.sign_rpc("POST", &parameters, nonce);
    request.to_wire()
}

#[tokio::test]
async fn nonce_is_accepted_once_per_access_key() {
    let fixture = Fixture::new();
    // A signature's date has no milliseconds.
    let now = Timestamp::from_unix_millis(Timestamp::now().unix_seconds() * 1000);
    let (one, two) = (fixture.signer(now).await, fixture.signer(now).await);
    let acs3 = |signer: &Signer, nonce: &str| {
        signer.sign_acs3(
            &UnsignedRequest::new("POST", "/").header("x-acs-action", "DescribeImages"),
            &["host"],
            nonce,
        )
    };
    for (sign, nonce) in [(&acs3 as &dyn Fn(&Signer, &str) -> WireRequest, "acs3"), (&sign_rpc, "rpc")] {
        let mut wrong = one.clone();
        wrong.secret.push('x');
        assert_eq!(
            fixture.authenticate(&sign(&wrong, nonce), true, now).await,
            signature_error(Fault::SignatureMismatch)
        );
        let wire = sign(&one, nonce);
        assert_eq!(fixture.authenticate(&wire, true, now).await.unwrap().tenant.as_str(), "own1");
        assert_eq!(fixture.authenticate(&wire, true, now).await, signature_error(Fault::NonceReused));
        // For as long as the request would be valid.
        let last = one.date.plus(Duration::from_mins(15));
        assert_eq!(fixture.authenticate(&wire, true, last).await, signature_error(Fault::NonceReused));
        assert!(fixture.authenticate(&sign(&two, nonce), true, now).await.is_ok());
        assert!(fixture.authenticate(&sign(&one, &format!("{nonce}-2")), true, now).await.is_ok());
    }
}

#[tokio::test]
async fn concurrent_replays_are_authenticated_once() {
    let fixture = Arc::new(Fixture::new());
    let now = Timestamp::now();
    let wire = sign_rpc(&fixture.signer(now).await, "n");
    let all: Vec<_> = (0..16)
        .map(|_| {
            let (fixture, wire) = (Arc::clone(&fixture), wire.clone());
            tokio::spawn(async move { fixture.authenticate(&wire, true, now).await })
        })
        .collect();
    let mut admitted = 0;
    for one in all {
        match one.await.unwrap() {
            Ok(_) => admitted += 1,
            refused => assert_eq!(refused, signature_error(Fault::NonceReused)),
        }
    }
    assert_eq!(admitted, 1);
}

#[tokio::test]
async fn recorded_request_authenticates_for_its_own_project_only() {
    let fixture = Fixture::new();
    for vector in SignatureVector::load_all() {
        let signer = fixture.signer(vector.date()).await;
        let mut wire = vector.signed_with(&signer);
        let project = fixture.authenticate(&wire, vector.is_alibaba(), vector.date()).await.unwrap().tenant;
        assert_eq!(project.as_str(), "own1", "{}", vector.name);
        wire.set_header("X-Project-Id", "mem1");
        let is_signed = wire.headers.iter().any(|(_, value)| value.contains("x-project-id"));
        let expected =
            if is_signed { Fault::SignatureMismatch } else { Fault::ProjectMismatch { acting: project } };
        assert_eq!(
            fixture.authenticate(&wire, vector.is_alibaba(), vector.date()).await,
            signature_error(expected),
            "{}",
            vector.name
        );
    }
}

#[tokio::test]
async fn recorded_request_with_another_access_key_is_rejected() {
    let fixture = Fixture::new();
    for vector in SignatureVector::load_all() {
        let (signer, other) = (fixture.signer(vector.date()).await, fixture.signer(vector.date()).await);
        let wire = vector.signed_with(&signer);
        for (key, expected) in
            [(other.key_id.as_str(), Fault::SignatureMismatch), ("nobodys", Fault::UnknownKey)]
        {
            let mut named = wire.clone();
            named.query = named.query.replace(&signer.key_id, key);
            for (_, value) in &mut named.headers {
                *value = value.replace(&signer.key_id, key);
            }
            let refused = fixture.authenticate(&named, vector.is_alibaba(), vector.date()).await;
            assert_eq!(refused, signature_error(expected), "{}", vector.name);
        }
    }
}

#[tokio::test]
async fn access_key_survives_rotation_until_its_master_key_is_removed() {
    let mut fixture = Fixture::new();
    let now = Timestamp::now();
    let old = fixture.signer(now).await;
    let request = UnsignedRequest::new("GET", "/v2/cloudimages");

    fixture.authenticator =
        authenticator_with_master_keys(&format!("{},{}", master_key("second", 2), master_key("first", 1)));
    let new = fixture.signer(now).await;
    for signer in [&old, &new] {
        assert!(fixture.authenticate(&signer.sign_access(&request, &[]), false, now).await.is_ok());
    }
    let keys = fixture.local.service.store.access_keys(&"own1".parse().unwrap(), None, 10).await.unwrap().0;
    let masters: Vec<_> = keys.iter().map(|key| key.master_key_id.as_str()).collect();
    assert_eq!(masters, ["first", "second"]);

    fixture.authenticator = authenticator_with_master_keys(&master_key("second", 2));
    assert!(fixture.authenticate(&new.sign_access(&request, &[]), false, now).await.is_ok());
    assert_eq!(
        fixture.authenticate(&old.sign_access(&request, &[]), false, now).await,
        signature_error(Fault::RetiredMasterKey)
    );
    fixture.authenticator = authenticator_with_master_keys("");
    assert_eq!(
        fixture.authenticate(&new.sign_access(&request, &[]), false, now).await,
        signature_error(Fault::RetiredMasterKey)
    );
}

#[tokio::test]
async fn access_key_is_cached_and_a_nonce_costs_one_write() {
    let fixture = Fixture::new();
    let now = Timestamp::now();
    let store = fixture.local.service.store.metered();
    let signer = fixture.signer(now).await;
    let wire = signer.sign_access(&UnsignedRequest::new("GET", "/v2/cloudimages"), &[]);
    let headers = wire.header_map();
    for _ in 0..10 {
        fixture.authenticator.authenticate(&wire.as_signed_request(&headers), &store, now).await.unwrap();
    }
    let used = store.usage();
    assert_eq!((used.round_trips, used.read_units, used.write_units), (1, 1.0, 0.0));

    let wire = sign_rpc(&signer, "n");
    let (headers, parameters) = (wire.header_map(), query_parameters(&wire.query));
    fixture
        .authenticator
        .authenticate_rpc(&wire.as_signed_request(&headers), &parameters, &store, now)
        .await
        .unwrap();
    let used = store.usage();
    assert_eq!((used.round_trips, used.read_units, used.write_units), (2, 1.0, 1.0));
}

#[tokio::test]
async fn only_owner_or_admin_disables_an_access_key() {
    let fixture = Fixture::new();
    let signer = fixture.signer(Timestamp::now()).await;
    let (service, keyring) = (&fixture.local.service, fixture.authenticator.keyring());
    let id = signer.key_id.parse().unwrap();
    assert!(disable_access_key(service, keyring, &caller("str1"), &id).await.is_err());
    let wire = signer.sign_access(&UnsignedRequest::new("GET", "/"), &[]);
    assert!(fixture.authenticate(&wire, false, signer.date).await.is_ok());
    let admin = Caller { role: Role::Admin, ..caller("ops") };
    assert!(disable_access_key(service, keyring, &admin, &id).await.is_ok());
    assert_eq!(fixture.authenticate(&wire, false, signer.date).await, signature_error(Fault::DisabledKey));
}

#[tokio::test]
async fn access_key_disabled_elsewhere_is_rejected_after_5_seconds() {
    let fixture = Fixture::new();
    let now = Timestamp::now();
    let signer = fixture.signer(now).await;
    let wire = signer.sign_access(&UnsignedRequest::new("GET", "/v2/cloudimages"), &[]);
    assert!(fixture.authenticate(&wire, false, now).await.is_ok());
    let elsewhere = authenticator_with_master_keys(&master_key("first", 1));
    let id = signer.key_id.parse().unwrap();
    disable_access_key(&fixture.local.service, elsewhere.keyring(), &caller("own1"), &id).await.unwrap();
    // Even if little time has passed for this process, which a function's host stops between two requests.
    assert!(fixture.authenticate(&wire, false, now.plus(Duration::from_millis(4_999))).await.is_ok());
    let after = fixture.authenticate(&wire, false, now.plus(Duration::from_secs(5))).await;
    assert_eq!(after, signature_error(Fault::DisabledKey));
}
