//! Rules on tenants that become recipients.

use std::collections::BTreeSet;

use imageshare::domain::DirectoryEntry;
use imageshare::usecases::put_tenant;
use imageshare_tests::local_service::all_items;
use serde_json::json;

use super::{OWNER, World, admin, entry};

#[tokio::test]
async fn account_that_joins_later_gets_what_matches_already() {
    let world = World::start();
    world.put_golden("golden", json!({"accounts": [{"name": "acme", "project": "web"}]}), json!({})).await;
    let image = world.register("golden-1").await;
    let plain = world.register("plain").await;
    world.assert_members(&image, &[]).await;
    assert_eq!(world.causes("golden").await, [""; 0]);

    world.join("other", ("acme", "shop"), None).await;
    world.assert_members(&image, &[]).await;
    world.join("mem1", ("acme", "web"), None).await;
    world.assert_members(&image, &["mem1"]).await;
    world.assert_members(&plain, &[]).await;
    assert_eq!(world.causes("golden").await, ["tenant_joined"]);
    let second = world.register("golden-2").await;
    world.assert_members(&second, &["mem1"]).await;

    // One that is renamed to it, while the first leaves.
    world.leave("mem1").await;
    world.join("other", ("acme", "web"), None).await;
    world.assert_members(&image, &["mem1", "other"]).await;
}

#[tokio::test]
async fn organization_reaches_its_members_in_the_region() {
    let world = World::start();
    world.enter(OWNER, ("acme", "home"), Some("o-1")).await;
    world.enter("mem1", ("acme", "web"), Some("o-1")).await;
    world.enter("other", ("acme", "shop"), Some("o-2")).await;
    let abroad =
        DirectoryEntry { region: "abroad".parse().unwrap(), ..entry("far", ("far", "far"), Some("o-1")) };
    put_tenant(world.app(), &admin(), &abroad).await.unwrap();
    world.put_golden("golden", json!({"organizations": ["o-1"]}), json!({})).await;
    let image = world.register("golden-1").await;
    world.assert_members(&image, &["mem1"]).await;

    world.join("mem2", ("solo", "web"), Some("o-1")).await;
    world.join("other", ("acme", "shop"), Some("o-1")).await;
    world.deliver_entry(None, &abroad).await;
    world.assert_members(&image, &["mem1", "mem2", "other"]).await;
    let here = entry("far", ("far", "far"), Some("o-1"));
    put_tenant(world.app(), &admin(), &here).await.unwrap();
    world.deliver_entry(Some(&abroad), &here).await;
    world.assert_members(&image, &["far", "mem1", "mem2", "other"]).await;
}

#[tokio::test]
async fn own_account_means_all_of_its_projects() {
    let world = World::start();
    world.enter(OWNER, ("acme", "home"), None).await;
    for (tenant, names) in [("a1", ("acme", "1")), ("a2", ("acme", "2")), ("b1", ("beta", "1"))] {
        world.enter(tenant, names, None).await;
    }
    world.put_golden("golden", json!({"accounts": [{"name": "acme"}, {"name": "beta"}]}), json!({})).await;
    let image = world.register("golden-1").await;
    world.assert_members(&image, &["a1", "a2", "b1"]).await;
    world.join("a3", ("acme", "3"), None).await;
    world.assert_members(&image, &["a1", "a2", "a3", "b1"]).await;
}

#[tokio::test]
async fn stranger_cannot_browse_an_account_or_organization() {
    let world = World::start();
    for (tenant, names) in [("a1", ("acme", "1")), ("a2", ("acme", "2"))] {
        world.enter(tenant, names, Some("o-1")).await;
    }
    // Not a member of the organization, nor in the directory at all.
    let body = json!({"pattern": {"name": ["golden"]}, "recipients": {"organizations": ["o-1"]}});
    for organization in ["o-1", "o-9"] {
        let body = serde_json::from_str(&body.to_string().replace("o-1", organization)).unwrap();
        let refused = world.send("PUT", "members", "", &body).await;
        refused.expect_error(400, "IMG.0108");
        assert!(refused.message().contains(&format!("not a member of {organization}")), "{refused:?}");
    }
    // Of another account, only one project is found, and only if it is the only one.
    world.put_golden("golden", json!({"accounts": [{"name": "acme"}]}), json!({})).await;
    let image = world.register("golden-1").await;
    world.join("a3", ("acme", "3"), None).await;
    world.assert_members(&image, &[]).await;
    let run = world.send("POST", "golden", "/dry-run", &json!(null)).await;
    assert_eq!((&run.body["recipients"], &run.body["first_pairs"]), (&json!(0), &json!([])));

    // An owner that leaves its organization reaches its members no more.
    world.enter(OWNER, ("own", "own"), Some("o-1")).await;
    world.put_golden("org", json!({"organizations": ["o-1"]}), json!({})).await;
    let second = world.register("golden-2").await;
    world.assert_members(&second, &["a1", "a2"]).await;
    world.enter(OWNER, ("own", "own"), None).await;
    let third = world.register("golden-3").await;
    world.join("a4", ("acme", "4"), Some("o-1")).await;
    for (image, expected) in [(&second, &["a1", "a2"][..]), (&third, &[])] {
        world.assert_members(image, expected).await;
    }
}

#[tokio::test]
async fn repeated_and_stale_joins_change_nothing() {
    let world = World::start();
    world.put_golden("golden", json!({"accounts": [{"name": "acme", "project": "web"}]}), json!({})).await;
    let image = world.register("golden-1").await;
    let (_, joined) = world.enter("mem1", ("acme", "web"), None).await;
    world.deliver_entry(None, &joined).await;
    world.functions.respond("mem1", &[image.id.as_str()], "rejected").await;
    for _ in 0..2 {
        world.deliver_entry(None, &joined).await;
    }
    assert_eq!(world.members(&image.id).await["mem1"], "rejected");
    assert_eq!(world.causes("golden").await.len(), 1);

    // It has left by the time that the event is handled.
    let (_, late) = world.enter("mem2", ("beta", "web"), None).await;
    world.put_golden("beta", json!({"accounts": [{"name": "beta"}]}), json!({})).await;
    world.enter("mem2", ("gamma", "web"), None).await;
    world.deliver_entry(None, &late).await;
    world.assert_members(&image, &["mem1"]).await;
    // What is no change of a recipient's account, name, organization or region.
    world.deliver_entry(Some(&joined), &joined).await;
    assert_eq!(world.causes("golden").await.len(), 1);
}

#[tokio::test]
async fn disabled_or_deleted_rule_gives_a_new_tenant_nothing() {
    let world = World::start();
    let recipients = json!({"accounts": [{"name": "acme"}]});
    world.put_golden("disabled", recipients.clone(), json!({"enabled": false})).await;
    world.put_golden("deleted", recipients.clone(), json!({})).await;
    world.put_golden("edited", recipients, json!({})).await;
    let image = world.register("golden-1").await;
    world.send("DELETE", "deleted", "", &json!(null)).await.expect_status(204);
    world.put_golden("edited", json!({"accounts": [{"name": "beta"}]}), json!({})).await;
    world.join("mem1", ("acme", "web"), None).await;
    world.assert_members(&image, &[]).await;
    world.send("DELETE", "deleted", "", &json!(null)).await.expect_status(204);
}

#[tokio::test]
async fn lookups_are_those_of_the_rules_after_races() {
    let world = World::start();
    let accounts = |numbers: &[usize]| {
        let named = |number: &usize| json!({"name": format!("account {number}")});
        json!({"pattern": {"name": ["a"]}, "recipients": {"accounts": numbers.iter().map(named).collect::<Vec<_>>()}})
    };
    for round in 0..5 {
        let bodies: Vec<_> = (0..6).map(|number| accounts(&[round, number, number + 1])).collect();
        let puts = bodies.iter().enumerate().map(|(number, body)| {
            let rule = if number % 2 == 0 { "even" } else { "odd" };
            world.send("PUT", rule, "", body)
        });
        let deletes =
            ["even", "odd"].map(|rule| async { world.send("DELETE", rule, "", &json!(null)).await });
        let (puts, deletes) =
            tokio::join!(futures_util::future::join_all(puts), futures_util::future::join_all(deletes));
        for response in puts.iter().chain(&deletes) {
            assert!(matches!(response.status, 200 | 204 | 409), "{response:?}");
        }
        let items = all_items(&world.functions.local.embedded);
        let text = |item: &std::collections::HashMap<String, dynoxide::types::AttributeValue>, name: &str| {
            match item.get(name) {
                Some(dynoxide::types::AttributeValue::S(text)) => text.clone(),
                _ => String::new(),
            }
        };
        let mut expected = BTreeSet::new();
        let mut found = BTreeSet::new();
        for item in &items {
            let (pk, sk) = (text(item, "pk"), text(item, "sk"));
            if pk == format!("Q#{OWNER}") {
                let rule: serde_json::Value = serde_json::from_str(&text(item, "rule")).unwrap();
                for account in rule["accounts"].as_array().unwrap() {
                    let key = (format!("Y#a#{}", account[0].as_str().unwrap()), format!("{OWNER}#{sk}"));
                    expected.insert(key);
                }
            } else if pk.starts_with("Y#") {
                found.insert((pk, sk));
            }
        }
        assert_eq!(found, expected);
    }
}
