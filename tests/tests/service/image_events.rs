//! The function `image-events`: what becomes of an image when its cloud reports a change of it.

use std::fs;
use std::path::{Path, PathBuf};

use image_events::EventError;
use imageshare::domain::{
    Bypass, Caller, DirectoryEntry, Image, ImageId, LimitSetting, Limits, Role, Status, Visibility,
};
use imageshare::store::StoreError;
use imageshare::usecases::{UseCaseError, put_tenant, respond, share, show_image, update_image};
use imageshare_local::functions::CURRENT_FUNCTION;
use imageshare_tests::local_service::{LocalService, all_items, caller, tenant};
use serde_json::{Value, json};

const ACCOUNT: &str = "012345678901";
const OWNER: &str = "own1";

/// A service where the account of the recorded events is bound to a tenant.
struct Fixture {
    world: LocalService,
}

impl Fixture {
    async fn start(limits: Limits) -> Self {
        let world = Self { world: LocalService::start(limits) };
        world.bind(OWNER, ACCOUNT).await;
        world
    }

    async fn bind(&self, owner: &str, account: &str) {
        let entry = DirectoryEntry {
            tenant: tenant(owner),
            account: "acme".parse().unwrap(),
            project: owner.parse().unwrap(),
            region: "local".parse().unwrap(),
            organization: None,
            cloud_account: account.parse().ok(),
        };
        put_tenant(&self.world.service, &Caller { role: Role::Admin, ..caller("ops") }, &entry)
            .await
            .unwrap();
    }

    async fn handle(&self, event: &Value) -> Result<Value, EventError> {
        let handled = image_events::handle(&self.world.service, event.clone());
        CURRENT_FUNCTION.scope("image-events", handled).await
    }

    /// Handles an event of one image. Returns its id and what became of it.
    async fn outcome(&self, event: &Value) -> (ImageId, String) {
        let response = self.handle(event).await.unwrap();
        let image = &response["images"][0];
        let text = |name: &str| image[name].as_str().unwrap_or_else(|| panic!("{response}")).to_owned();
        (text("id").parse().unwrap(), text("outcome"))
    }

    /// The state of an AMI, reported at a second.
    async fn report(&self, state: &str, second: u32) -> String {
        self.outcome(&ami_event(state, second)).await.1
    }

    async fn share_with(&self, image: &ImageId, recipient: &str) {
        let recipients = vec![tenant(recipient)];
        share(&self.world.service, &caller(OWNER), vec![image.clone()], recipients, None).await.unwrap();
        self.world.run_open_work().await;
    }

    /// The status of a recipient, as it sees it itself.
    async fn status(&self, image: &ImageId, recipient: &str) -> Option<Status> {
        self.world.service.store.member_status(image, &tenant(recipient)).await.unwrap()
    }

    async fn exists(&self, image: &ImageId) -> bool {
        self.world.service.store.image(image).await.unwrap().is_some()
    }
}

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/events")
}

fn recorded(name: &str) -> Value {
    serde_json::from_slice(&fs::read(vectors().join(format!("{name}.json"))).unwrap()).unwrap()
}

fn ami_event(state: &str, second: u32) -> Value {
    let mut event = recorded("ec2-ami-available");
    event["detail"]["State"] = json!(state);
    event["time"] = json!(format!("2026-01-01T00:00:{second:02}Z"));
    event
}

#[tokio::test]
async fn every_recorded_event_is_handled() {
    let mut seen = 0;
    for (name, expected) in [
        ("ec2-ami-available", "registered"),
        ("ec2-ami-failed", "unchanged"),
        ("ec2-ami-deregistered", "unchanged"),
        ("ec2-ami-disabled", "registered"),
        ("glance-activate", "registered"),
        ("glance-activate-enveloped", "registered"),
        ("glance-delete", "unchanged"),
        ("packer-complete", "registered"),
        ("pipeline-registered", "registered"),
        ("pipeline-removed", "unchanged"),
    ] {
        let world = Fixture::start(Limits::default()).await;
        assert_eq!(world.outcome(&recorded(name)).await.1, expected, "{name}");
        seen += 1;
    }
    let world = Fixture::start(Limits::default()).await;
    world.bind("own2", "111122223333").await;
    let ignored = world.handle(&recorded("imagebuilder-available")).await.unwrap();
    assert!(ignored["ignored"].as_str().unwrap().contains("names no AMI"), "{ignored}");
    let files = fs::read_dir(vectors()).unwrap().filter(|file| {
        file.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "json")
    });
    assert_eq!(files.count(), seen + 1);
}

#[tokio::test]
async fn ami_follows_its_life_in_the_cloud() {
    let world = Fixture::start(Limits::default()).await;
    let (image, outcome) = world.outcome(&ami_event("available", 1)).await;
    assert_eq!(outcome, "registered");
    let stored = world.world.read_image(&image).await;
    let property = |name: &str| stored.details.property(name).map(str::to_owned).unwrap_or_default();
    assert_eq!((stored.owner.as_str(), stored.visibility), (OWNER, Visibility::Shared));
    assert_eq!(stored.details.name.as_deref(), Some("ami-0abcdef1234567890"));
    assert_eq!(
        ["ami_id", "cloud_account", "cloud_region", "cloud_state"].map(property),
        ["ami-0abcdef1234567890", ACCOUNT, "us-east-1", "available"]
    );
    assert_eq!(world.report("available", 1).await, "unchanged");

    world.share_with(&image, "mem1").await;
    let accepted = (Status::Accepted, None);
    respond(&world.world.service, &caller("mem1"), tenant("mem1"), vec![image.clone()], accepted, None)
        .await
        .unwrap();
    world.world.run_open_work().await;
    assert_eq!(world.status(&image, "mem1").await, Some(Status::Accepted));
    assert_eq!(world.report("disabled", 2).await, "withdrawn");
    assert_eq!(world.report("disabled", 2).await, "unchanged");
    world.world.run_open_work().await;
    assert_eq!(world.status(&image, "mem1").await, None);
    assert_eq!(world.world.member_count(&image).await, 0);
    assert_eq!(world.world.read_image(&image).await.visibility, Visibility::Private);

    assert_eq!(world.report("available", 3).await, "changed");
    assert_eq!(world.world.read_image(&image).await.visibility, Visibility::Shared);
    assert_eq!(world.status(&image, "mem1").await, None, "a disabled AMI is shared with nobody again");
    world.share_with(&image, "mem1").await;
    assert_eq!(world.report("deregistered", 4).await, "deleted");
    world.world.run_open_work().await;
    assert!(!world.exists(&image).await);
    assert_eq!(world.status(&image, "mem1").await, None);
    assert_eq!(world.report("available", 5).await, "unchanged", "a tombstone stays");
    assert!(!world.exists(&image).await);
}

#[tokio::test]
async fn reordered_events_leave_the_latest_state() {
    for (events, visibility) in [
        ([("deregistered", 3), ("available", 1), ("disabled", 2)], None),
        ([("failed", 3), ("available", 1), ("available", 1)], None),
        ([("disabled", 2), ("available", 1), ("disabled", 2)], Some(Visibility::Private)),
        ([("available", 3), ("disabled", 2), ("available", 1)], Some(Visibility::Shared)),
    ] {
        let world = Fixture::start(Limits::default()).await;
        let mut image = None;
        for (state, second) in events {
            image = Some(world.outcome(&ami_event(state, second)).await.0);
        }
        let image = world.world.service.store.image(&image.unwrap()).await.unwrap();
        assert_eq!(image.map(|image| image.bypass(Bypass::Test).visibility), visibility, "{events:?}");
    }
}

#[tokio::test]
async fn concurrent_deliveries_of_an_event_register_one_image() {
    let world = Fixture::start(Limits::default()).await;
    let event = ami_event("available", 1);
    let outcomes = futures_util::future::join_all((0..8).map(|_| world.outcome(&event))).await;
    let registered = outcomes.iter().filter(|(_, outcome)| outcome == "registered").count();
    assert_eq!(registered, 1, "{outcomes:?}");
    assert_eq!(world.world.service.store.image_count(&tenant(OWNER)).await.unwrap(), 1);
}

#[tokio::test]
async fn protected_image_that_is_gone_is_withdrawn() {
    let world = Fixture::start(Limits::default()).await;
    let (image, _) = world.outcome(&ami_event("available", 1)).await;
    let protect = |image: &mut Image| -> Result<(), UseCaseError> {
        image.details.protected = true;
        Ok(())
    };
    update_image(&world.world.service, &caller(OWNER), &image, protect).await.unwrap();
    world.share_with(&image, "mem1").await;
    assert_eq!(world.report("deregistered", 2).await, "withdrawn");
    world.world.run_open_work().await;
    assert_eq!(world.status(&image, "mem1").await, None);
    let stored = world.world.read_image(&image).await;
    assert_eq!(stored.details.property("cloud_state"), Some("gone"));
    assert_eq!(
        (stored.visibility, world.report("available", 9).await.as_str()),
        (Visibility::Private, "unchanged")
    );
}

#[tokio::test]
async fn pipeline_describes_an_ami_before_or_after_its_event() {
    let registered = recorded("pipeline-registered");
    for pipeline_first in [true, false] {
        let world = Fixture::start(Limits::default()).await;
        let mut events = [registered.clone(), recorded("ec2-ami-available")];
        if !pipeline_first {
            events.reverse();
        }
        let mut image = None;
        for event in &events {
            image = Some(world.outcome(event).await.0);
        }
        let details = world.world.read_image(&image.unwrap()).await.details;
        assert_eq!(details.name.as_deref(), Some("golden web 42"));
        assert_eq!((details.property("team"), details.tags.len()), (Some("web"), 1));
        assert_eq!(world.outcome(&registered).await.1, "unchanged");
    }
}

#[tokio::test]
async fn packer_names_its_amis() {
    let world = Fixture::start(Limits::default()).await;
    let (image, _) = world.outcome(&recorded("packer-complete")).await;
    let details = world.world.read_image(&image).await.details;
    assert_eq!(details.name.as_deref(), Some("test v1"));
    for (name, value) in [
        ("ami_id", "ami-f2"),
        ("cloud_region", "us-west-2"),
        ("packer_bucket", "test"),
        ("packer_label_os", "ubuntu"),
    ] {
        assert_eq!(details.property(name), Some(value));
    }
    let mut revoked = recorded("packer-complete");
    revoked["detail"]["event_action"] = json!("revoke");
    assert!(world.handle(&revoked).await.unwrap()["ignored"].is_string());
}

#[tokio::test]
async fn glance_image_keeps_its_id_and_leaves_with_its_deletion() {
    let world = Fixture::start(Limits::default()).await;
    let (image, _) = world.outcome(&recorded("glance-activate")).await;
    assert_eq!(image.as_str(), "e04a6e73-bd92-485d-b422-1b29db8cf543");
    let details = world.world.read_image(&image).await.details;
    assert_eq!((details.name.as_deref(), details.min_ram_mib), (Some("cirros"), 64));
    assert_eq!((details.property("os_distro"), details.protected), (Some("cirros"), false));
    assert_eq!(world.outcome(&recorded("glance-activate-enveloped")).await.1, "unchanged");
    let mut foreign = recorded("glance-delete");
    foreign["detail"]["payload"]["owner"] = json!("own2");
    assert!(world.handle(&foreign).await.unwrap()["ignored"].as_str().unwrap().contains("another project"));
    assert_eq!(world.outcome(&recorded("glance-delete")).await.1, "deleted");
}

#[tokio::test]
async fn event_that_cannot_be_believed_changes_nothing() {
    let world = Fixture::start(Limits::default()).await;
    let before = all_items(&world.world.embedded).len();
    let with = |name: &str, value: Value| {
        let mut event = recorded("ec2-ami-available");
        event[name] = value;
        event
    };
    for event in [
        with("account", json!("999999999999")),
        with("source", json!("imageshare")),
        with("source", json!("aws.ec2.evil")),
        with("detail-type", json!("EC2 Instance State-change Notification")),
        ami_event("pending", 1),
    ] {
        let response = world.handle(&event).await.unwrap();
        assert!(response["ignored"].is_string(), "{response}");
    }
    let mut unbound = recorded("ec2-ami-available");
    unbound["account"] = json!("999999999999");
    unbound["detail"] = json!({});
    assert!(world.handle(&unbound).await.unwrap()["ignored"].is_string(), "its detail is not even read");
    assert_eq!(all_items(&world.world.embedded).len(), before);
}

#[tokio::test]
async fn account_cannot_touch_an_image_of_another_tenant() {
    let world = Fixture::start(Limits::default()).await;
    world.bind("own2", "111122223333").await;
    let (image, _) = world.outcome(&recorded("glance-activate")).await;
    for (detail_type, detail) in [
        ("Image Registered", json!({"id": image.as_str(), "name": "mine"})),
        ("Image Removed", json!({"id": image.as_str()})),
    ] {
        let mut event = recorded("pipeline-registered");
        event["account"] = json!("111122223333");
        event["detail-type"] = json!(detail_type);
        event["detail"] = detail;
        let error = world.handle(&event).await.unwrap_err();
        assert!(error.to_string().contains("is taken") && !error.is_transient(), "{error}");
    }
    assert_eq!(
        show_image(&world.world.service, &caller(OWNER), &image).await.unwrap().details.name.as_deref(),
        Some("cirros")
    );
}

#[tokio::test]
async fn malformed_event_is_an_error_that_names_the_field() {
    let world = Fixture::start(Limits::default()).await;
    for (name, pointer, value, expected) in [
        ("ec2-ami-available", "/detail/ImageId", json!("i-1"), "detail.ImageId: expected the id of an AMI"),
        ("ec2-ami-available", "/detail/ImageId", json!(format!("ami-{}", "0".repeat(61))), "detail.ImageId"),
        ("ec2-ami-available", "/detail/State", json!(1), "detail.State: expected"),
        ("ec2-ami-available", "/detail", json!("{}"), "detail: expected an object"),
        ("ec2-ami-available", "/time", json!("yesterday"), "time: expected a time"),
        ("ec2-ami-available", "/time", json!("2999-01-01T00:00:00Z"), "time: expected a time"),
        ("ec2-ami-available", "/account", json!("12"), "account: expected 12 digits"),
        ("ec2-ami-available", "/region", json!("a b"), "region: expected"),
        ("ec2-ami-available", "/source", json!(null), "source: expected"),
        ("ec2-ami-available", "/source", json!("x".repeat(257)), "source: expected"),
        ("imagebuilder-available", "/account", json!(ACCOUNT), ""),
        ("glance-activate", "/detail/payload/id", json!("a/b"), "detail.payload.id: expected"),
        (
            "glance-activate",
            "/detail/payload/min_disk",
            json!(-1),
            "detail.payload.min_disk: expected a whole",
        ),
        ("glance-activate", "/detail/payload/owner", json!(null), "detail.payload.owner: expected"),
        ("glance-activate-enveloped", "/detail/oslo.message", json!("{"), "detail.oslo.message: expected"),
        (
            "packer-complete",
            "/detail/event_payload/builds/0/artifacts/0/region",
            json!(1),
            "builds[0].artifacts[0].region",
        ),
        (
            "packer-complete",
            "/detail/event_payload/builds",
            json!(vec![json!({}); 33]),
            "builds: expected a short",
        ),
        (
            "pipeline-registered",
            "/detail/properties",
            json!({"a": 1}),
            "detail.properties.a: expected a text",
        ),
        ("pipeline-registered", "/detail/properties", json!({"metadata": "x"}), "detail.properties.metadata"),
        ("pipeline-registered", "/detail/tags", json!("golden"), "detail.tags: expected an array"),
        ("pipeline-registered", "/detail/visibility", json!("secret"), "detail.visibility: expected"),
        ("pipeline-registered", "/detail/name", json!("x".repeat(300)), "name: expected at most 255"),
    ] {
        let mut event = recorded(name);
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        event.pointer_mut(parent).unwrap()[member] = value;
        let result = world.handle(&event).await;
        match (expected, result) {
            ("", Ok(_)) => {}
            (expected, Err(error)) => {
                assert!(error.to_string().contains(expected), "{pointer}: {error}");
                assert!(!error.is_transient(), "{error}");
            }
            (_, Ok(response)) => panic!("{name} {pointer}: {response}"),
        }
    }
    let mut unknown = recorded("pipeline-registered");
    unknown["detail"]["label"] = json!("x");
    assert!(world.handle(&unknown).await.unwrap_err().to_string().contains("detail.label: expected no such"));
    assert!(world.handle(&json!([])).await.unwrap_err().to_string().contains("event: expected an object"));
}

#[tokio::test]
async fn event_beyond_the_image_limit_is_an_error() {
    let limit: LimitSetting = "images-per-tenant=1".parse().unwrap();
    let world = Fixture::start([limit].into_iter().collect()).await;
    world.report("available", 1).await;
    let error = world.handle(&recorded("packer-complete")).await.unwrap_err();
    assert!(error.to_string().contains("at most 1 images"), "{error}");
    assert!(EventError::Store(StoreError::Unavailable(String::new())).is_transient());
}

/// Every value of a document by its pointer.
fn pointers(value: &Value, here: &str, found: &mut Vec<String>) {
    found.push(here.to_owned());
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            pointers(value, &format!("{here}/{}", name.replace('~', "~0").replace('/', "~1")), found);
        }),
        Value::Array(array) => {
            array
                .iter()
                .enumerate()
                .for_each(|(index, value)| pointers(value, &format!("{here}/{index}"), found));
        }
        _ => {}
    }
}

#[tokio::test]
async fn event_with_any_value_replaced_is_handled_or_refused() {
    let world = Fixture::start(Limits::default()).await;
    for file in fs::read_dir(vectors()).unwrap().map(|file| file.unwrap().path()) {
        if file.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let event: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        let mut all = Vec::new();
        pointers(&event, "", &mut all);
        for pointer in all {
            for odd in [
                json!(null),
                json!(-1),
                json!([]),
                json!({}),
                json!(""),
                json!("\u{0}"),
                json!("x".repeat(70_000)),
            ] {
                let mut changed = event.clone();
                *changed.pointer_mut(&pointer).unwrap() = odd.clone();
                if let Err(error) = world.handle(&changed).await {
                    assert!(!error.is_transient() && error.to_string().len() < 70_000, "{pointer} {error}");
                }
            }
        }
    }
}
