//! Access keys, from their creation to their end, and what is done with requests that they sign.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use imageshare::auth::signature::SignatureFault as Fault;
use imageshare::auth::{Authenticator, MasterKeys, NotAdmitted, Unauthenticated};
use imageshare::domain::{Caller, Limits, Role, Timestamp};
use imageshare::usecases::{NewAccessKey, create_access_key, disable_access_key};
use imageshare_tests::api::{Answer, Api, Ask};
use imageshare_tests::binaries::binary;
use imageshare_tests::server::Server;
use imageshare_tests::service::{LocalService, caller};
use imageshare_tests::signer::{Signer, Unsigned, Wire};
use imageshare_tests::vectors::{Vector, parameters};
use imageshare_tests::world::authenticator;
use serde_json::{Value, json};

const KEYS: &str = "/v1/access-keys";
const MEMBERS: &str = "/v1/cloudimages/members";

async fn created(api: &Api, token: &str, body: &Value) -> Answer {
    api.send(&Ask::new("POST", KEYS).token(token).json(body)).await
}

/// A signer with a new access key of that project.
async fn signer(api: &Api, project: &str) -> Signer {
    let made = created(api, &api.token(project, Role::Member), &json!({"name": "ci"})).await;
    assert_eq!(made.status, 201, "{made:?}");
    let text = |name: &str| made.body[name].as_str().unwrap().to_owned();
    Signer { key: text("id"), secret: text("secret"), at: Timestamp::now() }
}

/// Both variants of `SDK-HMAC-SHA256`.
fn both(signer: &Signer, request: &Unsigned) -> [Wire; 2] {
    [signer.access(request, &["host"]), signer.credential(request, &["host"], "", "")]
}

#[tokio::test]
async fn a_signed_request_is_its_projects() {
    let api = Api::start(&[]).await;
    let signer = signer(&api, "own1").await;
    let new = Unsigned::new("POST", "/v2/images").json(json!({"name": "a"}));
    for wire in both(&signer, &new) {
        let image = api.send(&wire.ask()).await;
        assert_eq!((image.status, &image.body["owner"]), (201, &json!("own1")), "{image:?}");
        let share = json!({"images": [image.body["id"]], "projects": ["mem1"]});
        for method in ["POST", "DELETE"] {
            let job = api.send(&signer.access(&Unsigned::new(method, MEMBERS).json(&share), &[]).ask()).await;
            assert_eq!(job.status, 200, "{job:?}");
        }
    }
    let list = Unsigned::new("GET", "/v2/cloudimages?owner=own1&limit=1&name=a");
    for wire in both(&signer, &list.clone().header("X-Project-Id", "own1")) {
        assert_eq!(api.send(&wire.ask()).await.body["images"].as_array().unwrap().len(), 1);
    }
    for wire in both(&signer, &list) {
        // Their clients add it after signing.
        let ask = wire.ask();
        assert_eq!(api.send(&ask.clone().header("X-Project-Id", "own1")).await.status, 200);
        let other = api.send(&ask.header("X-Project-Id", "mem1")).await;
        assert_eq!((other.status, other.code()), (403, "IMG.0026"), "{other:?}");
        assert!(other.message().contains("acts for project own1 alone"), "{other:?}");
    }
}

#[tokio::test]
async fn a_request_that_is_signed_wrongly_is_told_why_and_changes_nothing() {
    let api = Api::start(&[]).await;
    let signer = signer(&api, "own1").await;
    let before = api.dump().await;
    let request = Unsigned::new("POST", "/v2/images").json(json!({"name": "a"}));
    let unknown = Signer { key: "nobodys".to_owned(), ..signer.clone() };
    let absurd = Signer { key: "a#b".to_owned(), ..signer.clone() };
    let wrong = Signer { secret: "wrong".to_owned(), ..signer.clone() };
    let early = Signer { at: signer.at.minus(Duration::from_mins(16)), ..signer.clone() };
    let late = Signer { at: signer.at.plus(Duration::from_mins(16)), ..signer.clone() };
    for (signer, told) in [
        (unknown, "access key does not exist"),
        (absurd, "access key does not exist"),
        (wrong, "signature does not match"),
        (early, "more than 15 minutes off"),
        (late, "more than 15 minutes off"),
    ] {
        for wire in both(&signer, &request) {
            let refused = api.send(&wire.ask()).await;
            assert_eq!((refused.status, refused.code()), (401, "APIGW.0301"), "{refused:?}");
            assert!(refused.message().contains(told), "{told} {refused:?}");
        }
    }
    for wire in both(&signer, &request) {
        let mut changed = wire.clone();
        changed.body.push(b'\n');
        let refused = api.send(&changed.ask()).await;
        assert!(refused.message().contains("signature does not match"), "{refused:?}");
        let two = api.send(&wire.ask().token(&api.token("own1", Role::Member))).await;
        assert_eq!((two.status, two.code()), (401, "IMG.0087"), "{two:?}");
    }
    for algorithm in ["SDK-HMAC-SM3", "V11-HMAC-SHA256", "SDK-ECDSA-P256-SHA256", "SDK-SM2-SM3"] {
        let mut wire = signer.access(&request, &[]);
        wire.set("Authorization", &format!("{algorithm} Access=a, SignedHeaders=x-sdk-date, Signature=00"));
        let refused = api.send(&wire.ask()).await;
        assert_eq!((refused.status, refused.code()), (401, "APIGW.0301"), "{refused:?}");
        assert!(refused.message().contains("sign with SDK-HMAC-SHA256"), "{refused:?}");
    }
    assert_eq!(api.dump().await, before);
}

#[tokio::test]
async fn a_disabled_access_key_is_refused_at_once_and_stays_in_the_list() {
    let api = Api::start(&[]).await;
    let (own, other) = (signer(&api, "own1").await, signer(&api, "own1").await);
    let list = Unsigned::new("GET", KEYS);
    assert_eq!(api.send(&own.access(&list, &[]).ask()).await.status, 200);
    let disable = Unsigned::new("DELETE", &format!("{KEYS}/{}", own.key));
    for _ in 0..2 {
        assert_eq!(api.send(&other.access(&disable, &[]).ask()).await.status, 204);
        let refused = api.send(&own.access(&list, &[]).ask()).await;
        assert_eq!((refused.status, refused.code()), (401, "APIGW.0301"), "{refused:?}");
        assert!(refused.message().contains("disabled"), "{refused:?}");
    }
    let listed = api.send(&other.access(&list, &[]).ask()).await.body;
    let disabled = listed["access_keys"].as_array().unwrap().iter().map(|key| key["disabled_at"].is_string());
    assert_eq!(disabled.collect::<Vec<_>>(), [true, false]);
}

#[tokio::test]
async fn a_secret_is_shown_once_and_stored_nowhere() {
    let api = Api::start(&[]).await;
    let token = api.token("own1", Role::Member);
    let made = created(&api, &token, &json!({"name": "ci", "roles": ["reader"]})).await;
    assert_eq!(made.headers["cache-control"], "no-store");
    let secret = made.body["secret"].as_str().unwrap();
    let shown = |text: String| assert!(!text.contains(secret), "{text}");
    shown(format!("{:?}", api.send(&Ask::new("GET", KEYS).token(&token)).await));
    shown(format!("{:?}", api.dump().await));
}

#[tokio::test]
async fn nobody_creates_an_access_key_that_may_more_than_itself() {
    let api = Api::start(&[]).await;
    for (role, wanted, status) in [
        (Role::Reader, json!(["reader"]), 403),
        (Role::Member, json!(["reader", "admin"]), 403),
        (Role::Member, json!(["member"]), 201),
        (Role::Admin, json!(["admin"]), 201),
    ] {
        let made = created(&api, &api.token("own1", role), &json!({"name": "ci", "roles": wanted})).await;
        assert_eq!(made.status, status, "{made:?}");
    }
    let reader =
        created(&api, &api.token("own1", Role::Member), &json!({"name": "r", "roles": ["reader"]})).await;
    let text = |name: &str| reader.body[name].as_str().unwrap().to_owned();
    let reader = Signer { key: text("id"), secret: text("secret"), at: Timestamp::now() };
    assert_eq!(api.send(&reader.access(&Unsigned::new("GET", KEYS), &[]).ask()).await.status, 200);
    let new = Unsigned::new("POST", "/v2/images").json("{}");
    let refused = api.send(&reader.access(&new, &[]).ask()).await;
    assert_eq!((refused.status, refused.code()), (403, "IMG.0026"), "{refused:?}");
}

#[tokio::test]
async fn a_project_lists_its_own_access_keys_page_by_page() {
    let api = Api::start(&[]).await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(signer(&api, "own1").await.key);
    }
    signer(&api, "own2").await;
    let (token, mut seen, mut target) =
        (api.token("own1", Role::Reader), Vec::new(), format!("{KEYS}?limit=2"));
    loop {
        let page = api.send(&Ask::new("GET", &target).token(&token)).await.body;
        let keys = page["access_keys"].as_array().unwrap();
        assert!(keys.len() <= 2 && page["page_info"]["current_count"] == keys.len());
        seen.extend(keys.iter().map(|key| key["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["page_info"]["next_marker"].as_str() else { break };
        target = format!("{KEYS}?limit=2&marker={next}");
    }
    assert_eq!(seen, ids);
}

/// What admits a request where no HTTP is involved, so that the clock can be any.
struct Door {
    local: LocalService,
    authenticator: Authenticator,
}

fn master(id: &str, byte: u8) -> String {
    format!("{id}:{}", STANDARD.encode([byte; 32]))
}

impl Door {
    async fn new() -> Self {
        let local = LocalService::start(Limits::default()).await;
        Self { local, authenticator: with_masters(&master("first", 1)) }
    }

    async fn signer(&self, at: Timestamp) -> Signer {
        let new = NewAccessKey { name: "ci".to_owned(), roles: vec![Role::Member] };
        let keyring = self.authenticator.keyring();
        let made = create_access_key(&self.local.service, keyring, &caller("own1"), new).await;
        let (key, secret) = made.unwrap();
        Signer { key: key.id.to_string(), secret: secret.reveal().to_owned(), at }
    }

    async fn admit(&self, wire: &Wire, is_alibaba: bool, now: Timestamp) -> Result<Caller, NotAdmitted> {
        let headers = wire.header_map();
        let (request, store) = (wire.as_signed(&headers), &self.local.service.store);
        if is_alibaba {
            self.authenticator.rpc_caller(&request, &parameters(&wire.query), store, now).await
        } else {
            self.authenticator.caller(&request, store, now).await
        }
    }
}

fn with_masters(keys: &str) -> Authenticator {
    authenticator().with_master_keys(MasterKeys::parse(keys).unwrap())
}

fn fault(fault: Fault) -> Result<Caller, NotAdmitted> {
    Err(NotAdmitted::Unauthenticated(Unauthenticated::Signature(fault)))
}

fn rpc(signer: &Signer, nonce: &str) -> Wire {
    let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let parameters = [own("Action", "DescribeImages"), own("Version", "2020-09-30")];
    let mut request = Unsigned::new("POST", "/");
    request.query = signer.rpc("POST", &parameters, nonce);
    request.wire()
}

#[tokio::test]
async fn a_nonce_is_used_once_by_each_access_key() {
    let door = Door::new().await;
    // A signature's date has no milliseconds.
    let now = Timestamp::from_unix_millis(Timestamp::now().unix_seconds() * 1000);
    let (one, two) = (door.signer(now).await, door.signer(now).await);
    let acs3 = |signer: &Signer, nonce: &str| {
        signer.acs3(&Unsigned::new("POST", "/").header("x-acs-action", "DescribeImages"), &["host"], nonce)
    };
    for sign in [&acs3 as &dyn Fn(&Signer, &str) -> Wire, &rpc] {
        let nonce = Timestamp::now().unix_millis().to_string();
        let mut wrong = one.clone();
        wrong.secret.push('x');
        assert_eq!(door.admit(&sign(&wrong, &nonce), true, now).await, fault(Fault::WrongSignature));
        let wire = sign(&one, &nonce);
        assert_eq!(door.admit(&wire, true, now).await.unwrap().tenant.as_str(), "own1");
        assert_eq!(door.admit(&wire, true, now).await, fault(Fault::NonceUsed));
        // For as long as the request would be believed.
        let last = one.at.plus(Duration::from_mins(15));
        assert_eq!(door.admit(&wire, true, last).await, fault(Fault::NonceUsed));
        assert!(door.admit(&sign(&two, &nonce), true, now).await.is_ok());
        assert!(door.admit(&sign(&one, &format!("{nonce}-2")), true, now).await.is_ok());
    }
}

#[tokio::test]
async fn a_request_that_comes_many_times_at_once_is_admitted_once() {
    let door = Arc::new(Door::new().await);
    let now = Timestamp::now();
    let wire = rpc(&door.signer(now).await, "n");
    let all: Vec<_> = (0..16)
        .map(|_| {
            let (door, wire) = (Arc::clone(&door), wire.clone());
            tokio::spawn(async move { door.admit(&wire, true, now).await })
        })
        .collect();
    let mut admitted = 0;
    for one in all {
        match one.await.unwrap() {
            Ok(_) => admitted += 1,
            refused => assert_eq!(refused, fault(Fault::NonceUsed)),
        }
    }
    assert_eq!(admitted, 1);
}

#[tokio::test]
async fn every_recorded_request_is_admitted_for_a_key_of_this_service_and_for_no_other_project() {
    let door = Door::new().await;
    for vector in Vector::all() {
        let signer = door.signer(vector.date()).await;
        let mut wire = signer.sign_again(&vector);
        let project = door.admit(&wire, vector.is_alibaba(), vector.date()).await.unwrap().tenant;
        assert_eq!(project.as_str(), "own1", "{}", vector.name);
        wire.set("X-Project-Id", "mem1");
        let is_signed = wire.headers.iter().any(|(_, value)| value.contains("x-project-id"));
        let expected =
            if is_signed { Fault::WrongSignature } else { Fault::OtherProject { acting: project } };
        assert_eq!(
            door.admit(&wire, vector.is_alibaba(), vector.date()).await,
            fault(expected),
            "{}",
            vector.name
        );
    }
}

#[tokio::test]
async fn a_recorded_request_that_names_another_access_key_is_refused() {
    let door = Door::new().await;
    for vector in Vector::all() {
        let (signer, other) = (door.signer(vector.date()).await, door.signer(vector.date()).await);
        let wire = signer.sign_again(&vector);
        for (key, expected) in [(other.key.as_str(), Fault::WrongSignature), ("nobodys", Fault::UnknownKey)] {
            let mut named = wire.clone();
            named.query = named.query.replace(&signer.key, key);
            for (_, value) in &mut named.headers {
                *value = value.replace(&signer.key, key);
            }
            let refused = door.admit(&named, vector.is_alibaba(), vector.date()).await;
            assert_eq!(refused, fault(expected), "{}", vector.name);
        }
    }
}

#[tokio::test]
async fn master_keys_are_rotated_without_ending_an_access_key_until_the_old_one_is_given_up() {
    let mut door = Door::new().await;
    let now = Timestamp::now();
    let old = door.signer(now).await;
    let request = Unsigned::new("GET", "/v2/cloudimages");

    door.authenticator = with_masters(&format!("{},{}", master("second", 2), master("first", 1)));
    let new = door.signer(now).await;
    for signer in [&old, &new] {
        assert!(door.admit(&signer.access(&request, &[]), false, now).await.is_ok());
    }
    let keys = door.local.service.store.access_keys(&"own1".parse().unwrap(), None, 10).await.unwrap().0;
    let masters: Vec<_> = keys.iter().map(|key| key.master.as_str()).collect();
    assert_eq!(masters, ["first", "second"]);

    door.authenticator = with_masters(&master("second", 2));
    assert!(door.admit(&new.access(&request, &[]), false, now).await.is_ok());
    assert_eq!(door.admit(&old.access(&request, &[]), false, now).await, fault(Fault::RetiredKey));
    door.authenticator = with_masters("");
    assert_eq!(door.admit(&new.access(&request, &[]), false, now).await, fault(Fault::RetiredKey));
}

#[tokio::test]
async fn an_access_key_is_read_once_for_many_requests() {
    let door = Door::new().await;
    let now = Timestamp::now();
    let wire = door.signer(now).await.access(&Unsigned::new("GET", "/v2/cloudimages"), &[]);
    let store = door.local.service.store.metered();
    let headers = wire.header_map();
    for _ in 0..10 {
        door.authenticator.caller(&wire.as_signed(&headers), &store, now).await.unwrap();
    }
    assert_eq!((store.usage().round_trips, store.usage().read_units), (1, 1.0));
}

#[tokio::test]
async fn a_stranger_disables_nothing_and_an_admin_anything() {
    let door = Door::new().await;
    let signer = door.signer(Timestamp::now()).await;
    let (service, keyring) = (&door.local.service, door.authenticator.keyring());
    let id = signer.key.parse().unwrap();
    assert!(disable_access_key(service, keyring, &caller("str1"), &id).await.is_err());
    let wire = signer.access(&Unsigned::new("GET", "/"), &[]);
    assert!(door.admit(&wire, false, signer.at).await.is_ok());
    let admin = Caller { role: Role::Admin, ..caller("ops") };
    assert!(disable_access_key(service, keyring, &admin, &id).await.is_ok());
    assert_eq!(door.admit(&wire, false, signer.at).await, fault(Fault::DisabledKey));
}

#[tokio::test]
async fn the_command_creates_lists_and_disables_access_keys_of_a_running_server() {
    let imageshare = binary("imageshare");
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap().to_owned();
    let server = Server::start(&imageshare, &["--data", &data]).await;
    let address = format!("http://{}", server.address);
    let run = async |arguments: &[&str]| {
        let mut command = Command::new(&imageshare);
        command.arg("access-key").args(arguments).args([
            "--project",
            "own1",
            "--server",
            &address,
            "--data",
            &data,
        ]);
        let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (done.status.success(), text(done.stdout), text(done.stderr))
    };
    let (_, made, _) = run(&["create", "--name", "ci", "--role", "reader", "--user", "me"]).await;
    let (id, secret) = made.trim_end().split_once('\n').unwrap();
    let (id, secret) = (id.strip_prefix("id=").unwrap(), secret.strip_prefix("secret=").unwrap());
    let signer = Signer { key: id.to_owned(), secret: secret.to_owned(), at: Timestamp::now() };
    let status = async || {
        let wire = signer.access(&Unsigned::new("GET", "/v2/cloudimages"), &[]);
        let request =
            reqwest::Client::new().get(format!("{address}{}", wire.path)).headers(wire.header_map());
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(status().await, 200);

    let (_, listed, _) = run(&["list"]).await;
    assert!(
        listed.starts_with(&format!("{id}\tenabled\treader\t")) && listed.ends_with("\tci\n"),
        "{listed}"
    );
    let (_, listed, _) = run(&["list", "--json"]).await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((&listed[0]["user"], &listed[0]["secret"]), (&json!("me"), &Value::Null));

    assert_eq!(run(&["disable", id]).await, (true, String::new(), String::new()));
    assert_eq!(status().await, 401);
    assert!(run(&["list"]).await.1.contains("\tdisabled\t"));
    let (done, _, told) = run(&["disable", "nobodys"]).await;
    assert!(!done && told == "imageshare: Your project has no such access key.\n", "{told}");
    drop(server);
    let (done, _, told) = run(&["list"]).await;
    assert!(!done && told.contains("no server answers at http://127.0.0.1:"), "{told}");
}
