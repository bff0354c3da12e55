//! Rules on images that are registered and changed.

use imageshare::domain::{Limits, Visibility};
use imageshare::usecases::share_rules::image_changed;
use imageshare::usecases::unshare;
use imageshare_tests::local_service::{all_items, caller, tenant};
use serde_json::{Value, json};

use super::{OWNER, World};

#[tokio::test]
async fn image_that_begins_to_match_is_shared() {
    let world = World::start();
    world.put_golden("golden", json!({"projects": ["mem1", "mem2"]}), json!({})).await;
    let image = world.register("golden-1").await;
    let members = world.members(&image.id).await;
    assert_eq!(members.get("mem1").map(String::as_str), Some("pending"));
    world.assert_members(&image, &["mem1", "mem2"]).await;

    let plain = world.register("plain").await;
    world.assert_members(&plain, &[]).await;
    let (old, new) = world.rename(&plain, "golden-2").await;
    world.deliver(Some(&old), &new).await;
    world.assert_members(&plain, &["mem1", "mem2"]).await;
    assert_eq!(world.causes("golden").await, ["image_matched", "image_matched"]);

    // The jobs are ordinary ones of the owner.
    let listed = world.send("GET", "golden", "/jobs", &Value::Null).await;
    let job = listed.body["jobs"][0]["job_id"].as_str().unwrap().to_owned();
    let target = format!("/v1/{OWNER}/jobs/{job}");
    let shown = world.functions.send_without_body(OWNER, "GET /v1/{project_id}/jobs/{job_id}", &target).await;
    assert_eq!(shown.body["status"], "SUCCESS", "{shown:?}");
}

#[tokio::test]
async fn repeated_event_changes_nothing() {
    let world = World::start();
    world.put_golden("golden", json!({"projects": ["mem1"]}), json!({})).await;
    let image = world.register("golden-1").await;
    let before = all_items(&world.functions.local.embedded).len();
    for _ in 0..3 {
        world.deliver(None, &image).await;
    }
    assert_eq!(all_items(&world.functions.local.embedded).len(), before);
    assert_eq!(world.causes("golden").await.len(), 1);

    let (owner, recipients) = (caller(OWNER), vec![tenant("mem1")]);
    unshare(world.app(), &owner, vec![image.id.clone()], recipients, None).await.unwrap();
    world.deliver(None, &image).await;
    world.assert_members(&image, &[]).await;
}

#[tokio::test]
async fn concurrent_deliveries_of_an_event_make_one_job() {
    let world = World::start();
    let recipients: Vec<_> = (0..150).map(|number| format!("mem-{number:03}")).collect();
    world.put_golden("small", json!({"projects": ["mem1"]}), json!({})).await;
    world.put_golden("large-1", json!({"projects": recipients[..80]}), json!({})).await;
    world.put_golden("large-2", json!({"projects": recipients[80..]}), json!({})).await;
    let image = world.create("golden-1", Visibility::Shared).await;
    let deliver = || image_changed(world.app(), None, Some(&image));
    let (a, b, c, d) = tokio::join!(deliver(), deliver(), deliver(), deliver());
    assert_eq!((a, b, c, d), (Ok(()), Ok(()), Ok(()), Ok(())));
    world.functions.local.run_open_work().await;
    for rule in ["small", "large-1", "large-2"] {
        assert_eq!(world.causes(rule).await, ["image_matched"], "{rule}");
    }
    assert_eq!(world.functions.local.member_count(&image.id).await, 151);
}

#[tokio::test]
async fn edited_rule_shares_again_only_if_applied() {
    let world = World::start();
    world.put_golden("golden", json!({"projects": ["mem1"]}), json!({})).await;
    let image = world.register("golden-1").await;
    world.put_golden("golden", json!({"projects": ["mem1", "mem2"]}), json!({})).await;
    world.deliver(None, &image).await;
    let (old, new) = world.change(&image, |image| image.details.min_disk_gib = 5).await;
    world.deliver(Some(&old), &new).await;
    world.assert_members(&image, &["mem1"]).await;

    world.send("POST", "golden", "/apply", &Value::Null).await.expect_status(200);
    world.assert_members(&image, &["mem1", "mem2"]).await;
    assert_eq!(world.causes("golden").await, ["applied", "image_matched"]);
}

#[tokio::test]
async fn rule_created_again_under_its_name_acts_anew() {
    let world = World::start();
    world.put_golden("golden", json!({"projects": ["mem1"]}), json!({})).await;
    let image = world.register("golden-1").await;
    world.send("DELETE", "golden", "", &Value::Null).await.expect_status(204);
    let plain = world.register("golden-2").await;
    world.assert_members(&plain, &[]).await;
    imageshare_tests::local_service::next_millisecond().await;
    world.put_golden("golden", json!({"projects": ["mem2"]}), json!({})).await;
    world.deliver(None, &image).await;
    world.assert_members(&image, &["mem1", "mem2"]).await;
}

#[tokio::test]
async fn disabled_rule_does_not_act() {
    let world = World::start();
    world.put_golden("golden", json!({"projects": ["mem1"]}), json!({"enabled": false})).await;
    let first = world.register("golden-1").await;
    world.send("POST", "golden", "/enable", &Value::Null).await.expect_status(200);
    let second = world.register("golden-2").await;
    let disabled = world.send("POST", "golden", "/disable", &Value::Null).await;
    assert_eq!(disabled.body["share_rule"]["enabled"], false);
    let third = world.register("golden-3").await;
    for (image, expected) in [(&first, &[][..]), (&second, &["mem1"]), (&third, &[])] {
        world.assert_members(image, expected).await;
    }
}

#[tokio::test]
async fn image_that_no_longer_matches_stays_shared_by_default() {
    let world = World::start();
    world.put_golden("golden", json!({"projects": ["mem1"]}), json!({})).await;
    let image = world.register("golden-1").await;
    let (old, new) = world.rename(&image, "plain").await;
    world.deliver(Some(&old), &new).await;
    world.assert_members(&image, &["mem1"]).await;
}

#[tokio::test]
async fn unmatched_image_is_withdrawn_if_asked_for() {
    let world = World::start();
    let withdraw = json!({"withdraw_unmatched": true});
    world.put_golden("golden", json!({"projects": ["mem1", "mem2", "mem3"]}), withdraw).await;
    let image = world.register("golden-1").await;
    world.functions.share(OWNER, &[image.id.as_str()], &["other"]).await;
    world.put_golden("also", json!({"projects": ["mem2"]}), json!({})).await;
    let body = json!({"pattern": {"name": ["plain"]}, "recipients": {"projects": ["mem3"]}});
    world.send("PUT", "plain", "", &body).await.expect_status(200);

    let (old, new) = world.rename(&image, "plain").await;
    world.deliver(Some(&old), &new).await;
    // `mem3` is a recipient of a rule that it matches now, and `other` of none.
    world.assert_members(&image, &["mem3", "other"]).await;
    assert_eq!(world.causes("golden").await, ["image_unmatched", "image_matched"]);

    let (old, new) = world.rename(&image, "golden-1").await;
    world.deliver(Some(&old), &new).await;
    world.assert_members(&image, &["mem1", "mem2", "mem3", "other"]).await;
}

#[tokio::test]
async fn hidden_image_is_recorded_and_shared_once_it_can_be() {
    let world = World::start();
    world.put_golden("golden", json!({"projects": ["mem1"]}), json!({})).await;
    world.put_golden("other", json!({"projects": ["mem2"]}), json!({"enabled": false})).await;
    let image = world.create("golden-1", Visibility::Private).await;
    world.deliver(None, &image).await;
    world.assert_rule_error("golden", image.id.as_str(), "IMG.0105").await;
    assert_eq!(world.rule("other").await.get("last_error"), None);

    let (old, new) = world.change(&image, |image| image.visibility = Visibility::Shared).await;
    world.deliver(Some(&old), &new).await;
    world.assert_members(&image, &["mem1"]).await;
    world.assert_rule_error("golden", image.id.as_str(), "IMG.0105").await;
    world.put_golden("golden", json!({"projects": ["mem1"]}), json!({})).await;
    assert_eq!(world.rule("golden").await.get("last_error"), None, "the rule was changed since");
}

#[tokio::test]
async fn full_queue_is_recorded_and_blocks_no_event() {
    let world = World::start_with(Limits { open_pairs_per_tenant: 150, ..Limits::default() });
    let many =
        |first: usize| (first..first + 100).map(|number| format!("many-{number:03}")).collect::<Vec<_>>();
    world.put_golden("a", json!({"projects": many(0)}), json!({})).await;
    world.put_golden("b", json!({"projects": many(100)}), json!({})).await;
    world.put_golden("c", json!({"projects": ["mem1"]}), json!({})).await;
    let image = world.register("golden-1").await;
    assert_eq!(world.functions.local.member_count(&image.id).await, 101);
    world.assert_rule_error("b", image.id.as_str(), "IMG.0060").await;
    for rule in ["a", "c"] {
        assert_eq!(world.rule(rule).await.get("last_error"), None, "{rule}");
    }
    world.send("POST", "b", "/apply", &Value::Null).await.expect_status(200);
    world.functions.local.run_open_work().await;
    assert_eq!(world.functions.local.member_count(&image.id).await, 201);
}

#[tokio::test]
async fn name_of_a_project_as_an_id_is_recorded() {
    let world = World::start();
    world.put_golden("golden", json!({"projects": ["web"]}), json!({})).await;
    world.enter(OWNER, ("acme", "home"), None).await;
    world.enter("mem1", ("acme", "web"), None).await;
    let image = world.register("golden-1").await;
    world.assert_members(&image, &[]).await;
    world.assert_rule_error("golden", image.id.as_str(), "IMG.0104").await;
}

#[tokio::test]
async fn deleted_image_and_unreadable_rule_block_no_event() {
    use imageshare::table::{AttributeValue, Table, Write};

    let world = World::start();
    world.put_golden("golden", json!({"projects": ["mem1"]}), json!({})).await;
    let image = world.create("golden-1", Visibility::Shared).await;
    imageshare::usecases::delete_image(world.app(), &caller(OWNER), &image.id).await.unwrap();
    world.deliver(None, &image).await;
    image_changed(world.app(), Some(&image), None).await.unwrap();
    assert_eq!(world.rule("golden").await.get("last_error"), None);

    let text = |value: &str| AttributeValue::S(value.to_owned());
    let damaged = [("pk", "Q#own1"), ("sk", "broken"), ("rev", "x"), ("rule", "{}")];
    let damaged = damaged.map(|(name, value)| (name.to_owned(), text(value))).into_iter().collect();
    world.functions.local.table.write_item(&Write::put(damaged)).await.unwrap();
    let image = world.register("golden-2").await;
    world.assert_members(&image, &["mem1"]).await;
}

#[tokio::test]
async fn failing_table_is_an_error_and_the_event_can_be_repeated() {
    let world = World::start();
    world.put_golden("golden", json!({"projects": ["mem1"]}), json!({})).await;
    let image = world.create("golden-1", Visibility::Shared).await;
    let late = world.app().with_deadline(tokio::time::Instant::now());
    assert!(image_changed(&late, None, Some(&image)).await.is_err());
    world.deliver(None, &image).await;
    world.assert_members(&image, &["mem1"]).await;
}

impl World {
    async fn assert_rule_error(&self, rule: &str, image: &str, code: &str) {
        let shown = self.rule(rule).await;
        let error = &shown["last_error"];
        assert_eq!(
            (error["image_id"].as_str(), error["error_code"].as_str()),
            (Some(image), Some(code)),
            "{shown}"
        );
        assert!(!error["error_msg"].as_str().unwrap().is_empty());
    }
}
