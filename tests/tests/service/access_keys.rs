//! Access keys that expire, those whose secret their client chose, and what a project reads and changes of its own; on
//! clocks that the tests set.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use imageshare::auth::signature::SignatureError as Fault;
use imageshare::auth::{AuthError, Authenticator, CredentialError, MasterKeys, Secret};
use imageshare::domain::{AccessKey, AccessKeyId, Caller, Limits, Role, Timestamp};
use imageshare::function::HttpFunction;
use imageshare::store::{CreateOutcome, IdempotencyRequest};
use imageshare::usecases::{
    AccessKeyError, NewAccessKey, create_access_key, disable_access_key, rename_access_key, show_access_key,
};
use imageshare_tests::api::{Api, ApiRequest};
use imageshare_tests::deployment::authenticator;
use imageshare_tests::events::HttpEvent;
use imageshare_tests::in_process::send_event;
use imageshare_tests::local_service::{LocalService, all_items, caller, tenant};
use imageshare_tests::signature_vectors::query_parameters;
use imageshare_tests::signer::{Signer, UnsignedRequest, WireRequest};
use serde_json::{Value, json};

const CHOSEN: &str = "a-secret-that-its-client-has-chosen";

/// A table, and an authenticator with one master key.
struct Fixture {
    local: LocalService,
    authenticator: Authenticator,
}

fn master_key(id: &str, byte: u8) -> String {
    format!("{id}:{}", STANDARD.encode([byte; 32]))
}

fn with_master_keys(keys: &str) -> Authenticator {
    authenticator().with_master_keys(MasterKeys::parse(keys).unwrap())
}

fn new_key(expires_at: Option<Timestamp>, secret: Option<&str>) -> NewAccessKey {
    let secret = secret.map(|text| Secret::chosen(text).unwrap());
    NewAccessKey { name: "ci".to_owned(), roles: vec![Role::Member], expires_at, secret }
}

fn idempotency(key: &str) -> IdempotencyRequest {
    IdempotencyRequest {
        tenant: tenant("own1"),
        key_digest: key.to_owned(),
        request_digest: "the request".to_owned(),
    }
}

impl Fixture {
    fn new() -> Self {
        let local = LocalService::start(Limits::default());
        Self { local, authenticator: with_master_keys(&master_key("first", 1)) }
    }

    async fn create(&self, new: NewAccessKey) -> (AccessKey, Secret) {
        let keyring = self.authenticator.keyring();
        create_access_key(&self.local.service, keyring, &caller("own1"), new, None).await.unwrap()
    }

    /// Writes an access key that ends at that time, which may be past.
    async fn store_key(&self, created: Timestamp, expires_at: Timestamp, max: u32) -> CreateOutcome {
        let key = self.key_ending(created, expires_at).0;
        self.local.service.store.create_access_key(&key, max, None).await.unwrap()
    }

    fn key_ending(&self, created: Timestamp, expires_at: Timestamp) -> (AccessKey, Secret) {
        let id = AccessKeyId::generate();
        let (master_key_id, secret) = self.authenticator.keyring().derive_new_secret(&id).unwrap();
        let key = AccessKey {
            id,
            name: "ci".to_owned(),
            project: tenant("own1"),
            account: None,
            user: None,
            roles: vec![Role::Member],
            master_key_id,
            sealed_secret: None,
            created,
            expires_at: Some(expires_at),
            disabled_at: None,
        };
        (key, secret)
    }

    async fn authenticate(&self, wire: &WireRequest, now: Timestamp) -> Result<Caller, AuthError> {
        let headers = wire.header_map();
        let (request, store) = (wire.as_signed_request(&headers), &self.local.service.store);
        if wire.path == "/" {
            self.authenticator.authenticate_rpc(&request, &query_parameters(&wire.query), store, now).await
        } else {
            self.authenticator.authenticate(&request, store, now).await
        }
    }

    /// Everything that is stored, as text.
    fn stored_text(&self) -> String {
        format!("{:?}", all_items(&self.local.embedded))
    }
}

fn signature_error(fault: Fault) -> Result<Caller, AuthError> {
    Err(AuthError::Credential(CredentialError::Signature(fault)))
}

/// A request under each kind of signature; the nonces are used once.
fn signed_requests(signer: &Signer, nonce: &str) -> [WireRequest; 4] {
    let list = UnsignedRequest::new("GET", "/v2/cloudimages");
    let action = UnsignedRequest::new("POST", "/").header("x-acs-action", "DescribeImages");
    let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let parameters = [own("Action", "DescribeImages"), own("Version", "2020-09-30")];
    let query = signer.sign_rpc("POST", &parameters, &format!("rpc-{nonce}"));
    [
        signer.sign_access(&list, &[]),
        signer.sign_credential(&list, &["host"], "", ""),
        signer.sign_acs3(&action, &["host"], &format!("acs3-{nonce}")),
        UnsignedRequest { query, ..UnsignedRequest::new("POST", "/") }.to_wire(),
    ]
}

fn signer(key: &AccessKey, secret: &str, date: Timestamp) -> Signer {
    // A signature's date has no milliseconds.
    let date = Timestamp::from_unix_millis(date.unix_seconds() * 1000);
    Signer { key_id: key.id.to_string(), secret: secret.to_owned(), date }
}

#[tokio::test]
async fn no_signature_is_accepted_after_the_key_has_expired() {
    let fixture = Fixture::new();
    let end = Timestamp::now().plus(Duration::from_mins(10));
    for chosen in [None, Some(CHOSEN)] {
        let (key, secret) = fixture.create(new_key(Some(end), chosen)).await;
        let signer = signer(&key, secret.reveal(), end);
        // A credential that is cached before its end is not used after it.
        let before = end.minus(Duration::from_millis(1));
        for wire in signed_requests(&signer, "before") {
            assert_eq!(fixture.authenticate(&wire, before).await.unwrap().tenant.as_str(), "own1");
        }
        for now in [end, end.plus(Duration::from_mins(1))] {
            for wire in signed_requests(&signer, "after") {
                assert_eq!(fixture.authenticate(&wire, now).await, signature_error(Fault::ExpiredKey));
            }
        }
        // Only who has the secret learns that.
        let wrong = Signer { secret: "wrong".to_owned(), ..signer };
        for wire in signed_requests(&wrong, "wrong") {
            assert_eq!(fixture.authenticate(&wire, end).await, signature_error(Fault::SignatureMismatch));
        }
    }
}

#[tokio::test]
async fn token_ends_with_its_access_key() {
    let fixture = Fixture::new();
    let now = Timestamp::now();
    let end = Timestamp::from_unix_millis(now.plus(Duration::from_mins(10)).unix_seconds() * 1000);
    let (key, _) = fixture.create(new_key(Some(end), None)).await;
    let (keyring, store) = (fixture.authenticator.keyring(), &fixture.local.service.store);
    let token = keyring.issue_token(&key, now).unwrap();
    assert_eq!(token.expires, end);
    let before = end.minus(Duration::from_secs(1));
    assert!(fixture.authenticator.token_bearer(&token.token, store, before).await.is_ok());
    let ended = fixture.authenticator.token_bearer(&token.token, store, end).await;
    assert_eq!(ended.unwrap_err(), AuthError::Credential(CredentialError::Expired));
    // Issued by a function of a release that knows no end.
    let longer = keyring.issue_token(&AccessKey { expires_at: None, ..key }, now).unwrap();
    assert!(fixture.authenticator.token_bearer(&longer.token, store, before).await.is_ok());
    let ended = fixture.authenticator.token_bearer(&longer.token, store, end).await;
    assert_eq!(ended.unwrap_err(), AuthError::Credential(CredentialError::KeyExpired));
}

#[tokio::test]
async fn expired_access_key_gets_no_token() {
    let fixture = Fixture::new();
    let function = HttpFunction::new(fixture.local.service.clone(), fixture.authenticator.clone());
    let now = Timestamp::now();
    let mut responses = Vec::new();
    for end in [now.plus(Duration::from_hours(1)), now.minus(Duration::from_secs(1))] {
        let (key, secret) = fixture.key_ending(now.minus(Duration::from_hours(2)), end);
        fixture.local.service.store.create_access_key(&key, 100, None).await.unwrap();
        for secret in [secret.reveal(), "wrong"] {
            for identity in [
                json!({"methods": ["password"], "password": {"user": {"id": key.id.as_str(), "password": secret}}}),
                json!({"methods": ["application_credential"],
                    "application_credential": {"id": key.id.as_str(), "secret": secret}}),
            ] {
                let event = HttpEvent::new("POST /v3/auth/tokens", "/v3/auth/tokens");
                let event = event.json(&json!({"auth": {"identity": identity}}));
                let response = send_event(&function, &event, None).await;
                responses.push((response.status, response.body["error"]["message"].clone()));
            }
        }
    }
    let statuses: Vec<_> = responses.iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [201, 201, 401, 401, 401, 401, 401, 401]);
    assert!(responses[2..].iter().all(|response| *response == responses[2]), "{responses:?}");
}

#[tokio::test]
async fn end_of_an_access_key_is_in_the_next_ten_years() {
    let fixture = Fixture::new();
    let (app, keyring) = (&fixture.local.service, fixture.authenticator.keyring());
    let now = app.clock().now();
    for end in [now.minus(Duration::from_secs(1)), now.plus(Duration::from_hours(3_651 * 24))] {
        let made = create_access_key(app, keyring, &caller("own1"), new_key(Some(end), None), None).await;
        assert_eq!(made.unwrap_err(), AccessKeyError::InvalidExpiry);
    }
    assert_eq!(all_items(&fixture.local.embedded).len(), 0);
    fixture.create(new_key(Some(now.plus(Duration::from_hours(3_649 * 24))), None)).await;
}

#[tokio::test]
async fn expired_access_key_is_removed_after_90_days() {
    let fixture = Fixture::new();
    let end = Timestamp::now().plus(Duration::from_hours(1));
    let (key, _) = fixture.create(new_key(Some(end), None)).await;
    let ttl = || {
        let items = all_items(&fixture.local.embedded);
        let item = items.iter().find(|item| item.contains_key("expires_at")).unwrap();
        format!("{:?}", item["ttl"])
    };
    let seconds = |time: Timestamp| time.plus(Duration::from_hours(90 * 24)).unix_seconds().to_string();
    assert!(ttl().contains(&seconds(end)), "{}", ttl());
    // Disabled before, it goes earlier; disabled after, no later.
    fixture.local.service.store.disable_access_key(&key, end.plus(Duration::from_hours(1))).await.unwrap();
    assert!(ttl().contains(&seconds(end)), "{}", ttl());
    assert!(!fixture.stored_text().contains("upk"), "it is not counted any more");
}

#[tokio::test]
async fn keys_that_expire_count_until_they_have_expired() {
    let fixture = Fixture::new();
    let at = |seconds| Timestamp::from_unix_millis(1_800_000_000_000).plus(Duration::from_secs(seconds));
    assert_eq!(fixture.store_key(at(0), at(10), 3).await, CreateOutcome::Created);
    assert_eq!(fixture.store_key(at(0), at(20), 3).await, CreateOutcome::Created);
    let (lasting, _) = fixture.create(new_key(None, None)).await;
    assert_eq!(fixture.store_key(at(5), at(30), 3).await, CreateOutcome::LimitReached);
    let another = AccessKey { id: AccessKeyId::generate(), created: at(5), ..lasting.clone() };
    let store = &fixture.local.service.store;
    assert_eq!(store.create_access_key(&another, 3, None).await.unwrap(), CreateOutcome::LimitReached);

    assert_eq!(fixture.store_key(at(11), at(30), 3).await, CreateOutcome::Created);
    assert_eq!(fixture.store_key(at(11), at(30), 3).await, CreateOutcome::LimitReached);
    let created = store.access_keys(&tenant("own1"), None, 10).await.unwrap().0;
    let last = created.iter().find(|key| key.expires_at == Some(at(30))).unwrap();
    for key in [last, &lasting] {
        store.disable_access_key(key, at(12)).await.unwrap();
        store.disable_access_key(key, at(12)).await.unwrap();
        assert_eq!(fixture.store_key(at(12), at(40), 3).await, CreateOutcome::Created);
        assert_eq!(fixture.store_key(at(12), at(40), 3).await, CreateOutcome::LimitReached);
    }
    for _ in 0..3 {
        assert_eq!(fixture.store_key(at(50), at(60), 3).await, CreateOutcome::Created);
    }
}

#[tokio::test]
async fn chosen_secret_signs_and_is_stored_encrypted() {
    let mut fixture = Fixture::new();
    let now = Timestamp::now();
    let (key, secret) = fixture.create(new_key(None, Some(CHOSEN))).await;
    assert_eq!(secret.reveal(), CHOSEN);
    assert!(!fixture.stored_text().contains(CHOSEN));
    for wire in signed_requests(&signer(&key, CHOSEN, now), "1") {
        assert_eq!(fixture.authenticate(&wire, now).await.unwrap().tenant.as_str(), "own1");
    }
    // The secret that would be derived for this id is not accepted as well.
    let derived = MasterKeys::parse(&master_key("first", 1)).unwrap().secret("first", &key.id).unwrap();
    let wire = &signed_requests(&signer(&key, derived.reveal(), now), "2")[0];
    assert_eq!(fixture.authenticate(wire, now).await, signature_error(Fault::SignatureMismatch));

    let list = &signed_requests(&signer(&key, CHOSEN, now), "3")[0];
    fixture.authenticator =
        with_master_keys(&format!("{},{}", master_key("second", 2), master_key("first", 1)));
    assert!(fixture.authenticate(list, now).await.is_ok(), "a rotation ends no key");
    let (newer, _) = fixture.create(new_key(None, Some(CHOSEN))).await;
    assert_eq!((key.master_key_id.as_str(), newer.master_key_id.as_str()), ("first", "second"));
    fixture.authenticator = with_master_keys(&master_key("second", 2));
    assert_eq!(fixture.authenticate(list, now).await, signature_error(Fault::RetiredMasterKey));
    let wire = &signed_requests(&signer(&newer, CHOSEN, now), "4")[0];
    assert!(fixture.authenticate(wire, now).await.is_ok());
}

#[tokio::test]
async fn retry_gets_the_same_secret_also_after_a_rotation() {
    let mut fixture = Fixture::new();
    for (key, chosen) in [("derived", None), ("chosen", Some(CHOSEN))] {
        fixture.authenticator = with_master_keys(&master_key("first", 1));
        let create = async |authenticator: &Authenticator, chosen: Option<&str>| {
            let (app, request) = (&fixture.local.service, idempotency(key));
            let new = new_key(None, chosen);
            create_access_key(app, authenticator.keyring(), &caller("own1"), new, Some(&request)).await
        };
        let (first, secret) = create(&fixture.authenticator, chosen).await.unwrap();
        assert!(!fixture.stored_text().contains(secret.reveal()));
        let rotated = with_master_keys(&format!("{},{}", master_key("second", 2), master_key("first", 1)));
        let (again, same) = create(&rotated, chosen).await.unwrap();
        assert_eq!((again, same.reveal()), (first, secret.reveal()));
        for other in [None, Some(CHOSEN), Some("another-secret-that-its-client-has-chosen")] {
            if other != chosen {
                let refused = create(&rotated, other).await;
                assert_eq!(refused.unwrap_err(), AccessKeyError::IdempotencyKeyReused);
            }
        }
        let retired = create(&with_master_keys(&master_key("second", 2)), chosen).await;
        assert_eq!(retired.unwrap_err(), AccessKeyError::NoMasterKey);
    }
    let keys = fixture.local.service.store.access_keys(&tenant("own1"), None, 10).await.unwrap().0;
    assert_eq!(keys.len(), 2);
}

#[tokio::test]
async fn project_reads_and_renames_its_own_keys_only() {
    let fixture = Fixture::new();
    let app = &fixture.local.service;
    let (key, _) = fixture.create(new_key(None, None)).await;
    let (reader, admin) =
        (Caller { role: Role::Reader, ..caller("own1") }, Caller { role: Role::Admin, ..caller("ops") });
    for caller in [&caller("own1"), &reader, &admin] {
        assert_eq!(show_access_key(app, caller, &key.id).await.unwrap(), key);
    }
    let rename =
        async |caller: &Caller, name: &str| rename_access_key(app, caller, &key.id, name.to_owned()).await;
    assert_eq!(show_access_key(app, &caller("own2"), &key.id).await.unwrap_err(), AccessKeyError::NotFound);
    assert_eq!(rename(&caller("own2"), "mine").await.unwrap_err(), AccessKeyError::NotFound);
    assert!(matches!(rename(&reader, "mine").await.unwrap_err(), AccessKeyError::Denied(_)));
    let renamed = AccessKey { name: "pipeline".to_owned(), ..key.clone() };
    assert_eq!(rename(&caller("own1"), "pipeline").await.unwrap(), renamed);
    assert_eq!(show_access_key(app, &reader, &key.id).await.unwrap(), renamed);
    disable_access_key(app, fixture.authenticator.keyring(), &caller("own1"), &key.id).await.unwrap();
    rename(&caller("own1"), "old").await.unwrap();
    assert_eq!(show_access_key(app, &reader, &key.id).await.unwrap().name, "old");

    let mut strong = new_key(None, None);
    strong.roles = vec![Role::Admin];
    let as_admin = Caller { role: Role::Admin, ..caller("own1") };
    let keyring = fixture.authenticator.keyring();
    let (strong, _) = create_access_key(app, keyring, &as_admin, strong, None).await.unwrap();
    let refused = rename_access_key(app, &caller("own1"), &strong.id, "mine".to_owned()).await;
    assert_eq!(refused.unwrap_err(), AccessKeyError::KeyRoleExceedsCaller(Role::Admin));
    let unknown: AccessKeyId = "unknown".parse().unwrap();
    assert_eq!(show_access_key(app, &admin, &unknown).await.unwrap_err(), AccessKeyError::NotFound);
}

#[tokio::test]
async fn credential_learns_its_project_and_the_limits_in_force() {
    let api = Api::start(&["members-per-image=7"]).await;
    let show = async |token: &str| api.send(&ApiRequest::new("GET", "/v1/service").token(token)).await;
    let member = show(&api.token("own1", Role::Member)).await;
    member.expect_status(200);
    let Value::Object(shown) = &member.body else { panic!("{member:?}") };
    assert_eq!((&shown["version"], &shown["region"]), (&json!("0.1.0"), &json!("local")));
    assert_eq!((&shown["project_id"], &shown["roles"]), (&json!("own1"), &json!(["reader", "member"])));
    assert_eq!(shown["limits"]["members_per_image"], 7);
    assert_eq!(shown["limits"]["images_per_request"], 100);
    assert!(shown["features"].as_array().unwrap().contains(&json!("message_waits")));
    assert_eq!(show(&api.token("own1", Role::Reader)).await.body["roles"], json!(["reader"]));
    show("a.b.c").await.expect_status(401);
    let fixture = Fixture::new();
    let function = HttpFunction::new(fixture.local.service.clone(), fixture.authenticator.clone());
    let event = HttpEvent::new("GET /v1/service", "/v1/service");
    let token = imageshare_tests::deployment::Deployment::token("own1", "admin");
    let response = send_event(&function, &event.token(&token), None).await;
    assert_eq!(response.body["features"], json!(["access_key_expiry", "access_key_secrets", "share_rules"]));
}

#[tokio::test]
async fn response_has_the_end_and_never_a_chosen_secret() {
    let api = Api::start(&[]).await;
    let token = api.token("own1", Role::Member);
    let send = async |method: &str, target: &str, body: &Value| {
        let request = ApiRequest::new(method, target).token(&token).header("Idempotency-Key", "k");
        api.send(&if body.is_null() { request } else { request.json(body) }).await
    };
    let end = Timestamp::now().plus(Duration::from_hours(1)).to_iso_seconds();
    let new = json!({"name": "run", "expires_at": end.replace('Z', ".75+00:00"), "secret": CHOSEN});
    let created = send("POST", "/v1/access-keys", &new).await;
    created.expect_status(201);
    assert_eq!((&created.body["expires_at"], &created.body["secret"]), (&json!(end), &Value::Null));
    assert_eq!(send("POST", "/v1/access-keys", &new).await.body, created.body);
    let mut other = new.clone();
    other["secret"] = json!("another-secret-that-its-client-has-chosen");
    send("POST", "/v1/access-keys", &other).await.expect_error(422, "IMG.0018");
    let key = format!("/v1/access-keys/{}", created.body["id"].as_str().unwrap());
    let shown = send("GET", &key, &Value::Null).await;
    assert_eq!(shown.body, created.body);
    let listed = send("GET", "/v1/access-keys", &Value::Null).await;
    assert_eq!(listed.body["access_keys"], json!([shown.body]));
    assert!(api.dump().values().all(|item| !item.contains(CHOSEN)));
    let signer = Signer {
        key_id: created.body["id"].as_str().unwrap().to_owned(),
        secret: CHOSEN.to_owned(),
        date: Timestamp::now(),
    };
    let list = signer.sign_access(&UnsignedRequest::new("GET", "/v2/cloudimages"), &[]);
    api.send(&list.to_api_request()).await.expect_status(200);
}
