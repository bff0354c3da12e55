//! Who is admitted by a signature, whatever the clock says: no HTTP is involved.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use imageshare::auth::signature::SignatureFault as Fault;
use imageshare::auth::{Authenticator, MasterKeys, NotAdmitted, Unauthenticated};
use imageshare::domain::{Caller, Limits, Role, Timestamp};
use imageshare::usecases::{NewAccessKey, create_access_key, disable_access_key};
use imageshare_tests::service::{LocalService, caller};
use imageshare_tests::signer::{Signer, Unsigned, Wire};
use imageshare_tests::vectors::{Vector, parameters};
use imageshare_tests::world::authenticator;

/// What admits requests, and the table behind it.
struct Door {
    local: LocalService,
    authenticator: Authenticator,
}

fn master(id: &str, byte: u8) -> String {
    format!("{id}:{}", STANDARD.encode([byte; 32]))
}

impl Door {
    fn new() -> Self {
        let local = LocalService::start(Limits::default());
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
    let door = Door::new();
    // A signature's date has no milliseconds.
    let now = Timestamp::from_unix_millis(Timestamp::now().unix_seconds() * 1000);
    let (one, two) = (door.signer(now).await, door.signer(now).await);
    let acs3 = |signer: &Signer, nonce: &str| {
        signer.acs3(&Unsigned::new("POST", "/").header("x-acs-action", "DescribeImages"), &["host"], nonce)
    };
    for (sign, nonce) in [(&acs3 as &dyn Fn(&Signer, &str) -> Wire, "acs3"), (&rpc, "rpc")] {
        let mut wrong = one.clone();
        wrong.secret.push('x');
        assert_eq!(door.admit(&sign(&wrong, nonce), true, now).await, fault(Fault::WrongSignature));
        let wire = sign(&one, nonce);
        assert_eq!(door.admit(&wire, true, now).await.unwrap().tenant.as_str(), "own1");
        assert_eq!(door.admit(&wire, true, now).await, fault(Fault::NonceUsed));
        // For as long as the request would be believed.
        let last = one.at.plus(Duration::from_mins(15));
        assert_eq!(door.admit(&wire, true, last).await, fault(Fault::NonceUsed));
        assert!(door.admit(&sign(&two, nonce), true, now).await.is_ok());
        assert!(door.admit(&sign(&one, &format!("{nonce}-2")), true, now).await.is_ok());
    }
}

#[tokio::test]
async fn a_request_that_comes_many_times_at_once_is_admitted_once() {
    let door = Arc::new(Door::new());
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
    let door = Door::new();
    for vector in Vector::all() {
        let signer = door.signer(vector.date()).await;
        let mut wire = vector.signed_by(&signer);
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
    let door = Door::new();
    for vector in Vector::all() {
        let (signer, other) = (door.signer(vector.date()).await, door.signer(vector.date()).await);
        let wire = vector.signed_by(&signer);
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
    let mut door = Door::new();
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
async fn an_access_key_is_read_once_for_many_requests_and_a_nonce_is_one_write() {
    let door = Door::new();
    let now = Timestamp::now();
    let store = door.local.service.store.metered();
    let signer = door.signer(now).await;
    let wire = signer.access(&Unsigned::new("GET", "/v2/cloudimages"), &[]);
    let headers = wire.header_map();
    for _ in 0..10 {
        door.authenticator.caller(&wire.as_signed(&headers), &store, now).await.unwrap();
    }
    let used = store.usage();
    assert_eq!((used.round_trips, used.read_units, used.write_units), (1, 1.0, 0.0));

    let wire = rpc(&signer, "n");
    let (headers, parameters) = (wire.header_map(), parameters(&wire.query));
    door.authenticator.rpc_caller(&wire.as_signed(&headers), &parameters, &store, now).await.unwrap();
    let used = store.usage();
    assert_eq!((used.round_trips, used.read_units, used.write_units), (2, 1.0, 1.0));
}

#[tokio::test]
async fn a_stranger_disables_nothing_and_an_admin_anything() {
    let door = Door::new();
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
async fn an_access_key_that_is_disabled_elsewhere_ends_here_after_five_seconds_of_the_clock() {
    let door = Door::new();
    let now = Timestamp::now();
    let signer = door.signer(now).await;
    let wire = signer.access(&Unsigned::new("GET", "/v2/cloudimages"), &[]);
    assert!(door.admit(&wire, false, now).await.is_ok());
    let elsewhere = with_masters(&master("first", 1));
    let id = signer.key.parse().unwrap();
    disable_access_key(&door.local.service, elsewhere.keyring(), &caller("own1"), &id).await.unwrap();
    // However little time has passed for this process, which a function's host stops between two requests.
    assert!(door.admit(&wire, false, now.plus(Duration::from_millis(4_999))).await.is_ok());
    let after = door.admit(&wire, false, now.plus(Duration::from_secs(5))).await;
    assert_eq!(after, fault(Fault::DisabledKey));
}
