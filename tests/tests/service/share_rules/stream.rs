//! Share rules at the end of the table's stream: what the function `effects` has them do, under its policy.

use imageshare::App;
use imageshare::domain::Clock;
use imageshare::events::{Bus, BusEntry, PublishError, Publishing};
use imageshare::store::Store;
use imageshare_local::effects::handle;
use imageshare_tests::checked_bus::CheckedBus;
use imageshare_tests::deployment::Deployment;
use imageshare_tests::events::HttpEvent;
use imageshare_tests::fuzz::table::UnavailableTable;
use serde_json::{Value, json};

use super::{OWNER, World};

impl World {
    /// Carries out what follows from all changes, until nothing more follows. Returns the kinds of the events.
    async fn settle(&self) -> Vec<String> {
        let mut kinds = Vec::new();
        loop {
            let published = self.functions.local.carry_out_effects().await;
            if published.is_empty() {
                return kinds;
            }
            kinds.extend(published.iter().map(|entry| entry.detail["kind"].as_str().unwrap().to_owned()));
            self.functions.local.run_open_work().await;
        }
    }

    async fn enter_by_api(&self, tenant: &str, entry: &Value) {
        let put = HttpEvent::new("PUT /v1/tenants/{project_id}", &format!("/v1/tenants/{tenant}"));
        let put = put.token(&Deployment::token("ops", "admin")).json(entry);
        self.functions.send(&put).await.expect_status(200);
    }

    async fn member_ids(&self, image: &str) -> Vec<String> {
        self.members(&image.parse().unwrap()).await.into_keys().collect()
    }
}

#[tokio::test]
async fn stream_lets_rules_act_on_images_and_joins() {
    let world = World::start();
    world.enter_by_api(OWNER, &json!({"account": "acme", "project": "home", "organization": "o-1"})).await;
    let recipients = json!({
        "projects": ["mem1"],
        "accounts": [{"name": "beta", "project": "web"}],
        "organizations": ["o-1"],
    });
    world.put_golden("golden", recipients, json!({"withdraw_unmatched": true})).await;
    let image = world.functions.create_image(OWNER, &json!({"name": "golden-1"})).await;
    let kinds = world.settle().await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "share.offered").count(), 2, "{kinds:?}");
    assert_eq!(world.member_ids(&image).await, ["mem1"]);

    world.enter_by_api("beta1", &json!({"account": "beta", "project": "web"})).await;
    world.enter_by_api("org1", &json!({"account": "gamma", "project": "any", "organization": "o-1"})).await;
    world.settle().await;
    assert_eq!(world.member_ids(&image).await, ["beta1", "mem1", "org1"]);
    assert_eq!(world.causes("golden").await, ["tenant_joined", "tenant_joined", "image_matched"]);

    let patch = json!([{"op": "replace", "path": "/name", "value": "plain"}]);
    let patch = HttpEvent::new("PATCH /v2/images/{image_id}", &format!("/v2/images/{image}"))
        .token(&Deployment::token(OWNER, "member"))
        .header("content-type", "application/openstack-images-v2.1-json-patch")
        .text(&patch.to_string());
    world.functions.send(&patch).await.expect_status(200);
    let kinds = world.settle().await;
    assert!(kinds.iter().any(|kind| kind == "share.withdrawn"), "{kinds:?}");
    assert_eq!(world.member_ids(&image).await, [""; 0]);
    assert_eq!(world.causes("golden").await[0], "image_unmatched");
}

#[tokio::test]
async fn stream_shares_large_and_encrypted_images_by_rules() {
    let world = World::start();
    let many: Vec<_> = (0..100).map(|number| format!("many-{number:02}")).collect();
    world.put_golden("many", json!({"projects": many}), json!({})).await;
    let sealed = json!({"pattern": {"name": ["sealed"]}, "recipients": {"projects": ["mem1", "mem2"]}});
    world.send("PUT", "sealed", "", &sealed).await.expect_status(200);
    for project in ["mem1", "mem2"] {
        let route = "PUT /v1/keys/{key_id}/grants/{project_id}";
        let target = format!("/v1/keys/key/grants/{project}");
        world.functions.send_without_body(OWNER, route, &target).await.expect_status(200);
    }
    let golden = world.functions.create_image(OWNER, &json!({"name": "golden"})).await;
    let sealed = json!({"name": "sealed", "__system__cmkid": "key"});
    let sealed = world.functions.create_image(OWNER, &sealed).await;
    let hidden = json!({"name": "golden-2", "visibility": "private"});
    let hidden = world.functions.create_image(OWNER, &hidden).await;
    world.settle().await;
    assert_eq!(world.functions.local.member_count(&golden.parse().unwrap()).await, 100);
    assert_eq!(world.member_ids(&sealed).await, ["mem1", "mem2"]);
    assert_eq!(world.rule("many").await["last_error"]["image_id"], hidden.as_str());
}

#[tokio::test]
async fn batch_that_is_delivered_again_makes_no_second_job() {
    let world = World::start();
    world.put_golden("golden", json!({"projects": ["mem1"]}), json!({})).await;
    let image = world.functions.create_image(OWNER, &json!({"name": "golden-1"})).await;
    let changes = world.functions.local.changes().await;
    for _ in 0..3 {
        world.functions.local.effects_of(&changes).await;
    }
    assert_eq!(world.causes("golden").await, ["image_matched"]);
    assert_eq!(world.member_ids(&image).await, ["mem1"]);
}

/// A bus that takes nothing.
struct RefusingBus;

impl Bus for RefusingBus {
    fn publish<'a>(&'a self, _: &'a [BusEntry]) -> Publishing<'a> {
        Box::pin(std::future::ready(Err(PublishError("refused by the test".to_owned()))))
    }
}

#[tokio::test]
async fn rule_acts_once_its_events_are_published() {
    let world = World::start();
    world.put_golden("golden", json!({"projects": ["mem1"]}), json!({})).await;
    let image = world.functions.create_image(OWNER, &json!({"name": "golden-1"})).await;
    let changes = world.functions.local.changes().await;
    handle(&changes, world.app(), &RefusingBus).await.unwrap_err();
    assert!(world.causes("golden").await.is_empty());
    world.settle().await;
    assert_eq!(world.causes("golden").await, ["image_matched"]);
    assert_eq!(world.member_ids(&image).await, ["mem1"]);
}

#[tokio::test]
async fn rule_that_fails_delays_no_event() {
    let world = World::start();
    world.put_golden("golden", json!({"projects": ["mem1"]}), json!({})).await;
    for name in ["golden-1", "golden-2"] {
        world.functions.create_image(OWNER, &json!({"name": name})).await;
    }
    let changes = world.functions.local.changes().await;
    let (store, bus) = (Store::new(UnavailableTable, Clock::for_function()), CheckedBus::default());
    let app = App { store, ..world.app().clone() };
    handle(&changes, &app, &bus).await.unwrap_err();
    let ids = |entries: &[BusEntry]| entries.iter().map(|e| e.detail["id"].clone()).collect::<Vec<_>>();
    let published = ids(&bus.take());
    assert_eq!(published.len(), 2);
    assert_eq!(published, ids(&world.functions.local.effects_of(&changes).await));
    assert_eq!(world.causes("golden").await, ["image_matched"; 2]);
}
