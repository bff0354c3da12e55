//! The dry run of a rule, and its application to what is there.

use std::collections::BTreeMap;

use imageshare::domain::{Details, DirectoryEntry, Image, Visibility};
use imageshare::usecases::put_tenant;
use serde_json::{Value, json};

use super::{OWNER, World, admin, entry};

/// The results of a rule's jobs, by image and project: `shared`, or the code of the error.
async fn results(world: &World, jobs: &Value) -> BTreeMap<(String, String), String> {
    let mut results = BTreeMap::new();
    for job in jobs.as_array().unwrap() {
        let target = format!("/v1/{OWNER}/jobs/{}", job.as_str().unwrap());
        let route = "GET /v1/{project_id}/jobs/{job_id}";
        let shown = world.functions.send_without_body(OWNER, route, &target).await;
        for pair in shown.body["entities"]["results"].as_array().unwrap() {
            let text = |name: &str| pair[name].as_str().unwrap_or_default().to_owned();
            let result = if text("status") == "success" { "done".to_owned() } else { text("error_code") };
            results.insert((text("image_id"), text("project_id")), result);
        }
    }
    results
}

async fn with_properties(world: &World, name: &str, properties: &[(&str, &str)]) -> Image {
    let properties = properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let details =
        Details { name: Some(name.to_owned()), properties: properties.collect(), ..Details::default() };
    world.create_with(details, Visibility::Shared).await
}

#[tokio::test]
async fn dry_run_predicts_what_applying_does() {
    let world = World::start();
    let abroad = DirectoryEntry { region: "abroad".parse().unwrap(), ..entry("far", ("far", "far"), None) };
    put_tenant(world.app(), &admin(), &abroad).await.unwrap();
    let recipients = json!({"projects": ["mem1", "mem2", "far"]});
    world.put_golden("golden", recipients, json!({"enabled": false})).await;
    let plain = world.create("golden-plain", Visibility::Shared).await;
    let shared = world.create("golden-shared", Visibility::Shared).await;
    world.functions.share(OWNER, &[shared.id.as_str()], &["mem1"]).await;
    let hidden = world.create("golden-hidden", Visibility::Private).await;
    let sealed = with_properties(&world, "golden-sealed", &[("__system__cmkid", "key")]).await;
    let grant = "PUT /v1/keys/{key_id}/grants/{project_id}";
    world.functions.send_without_body(OWNER, grant, "/v1/keys/key/grants/mem2").await.expect_status(200);
    with_properties(&world, "golden-whole", &[("__whole_image", "true")]).await;
    world.create("other", Visibility::Shared).await;

    let run = world.send("POST", "golden", "/dry-run", &Value::Null).await;
    run.expect_status(200);
    assert_eq!(
        (&run.body["images"], &run.body["recipients"], &run.body["pairs"], &run.body["is_complete"]),
        (&json!(5), &json!(3), &json!(15), &json!(true))
    );
    let mut predicted = BTreeMap::new();
    for pair in run.body["first_pairs"].as_array().unwrap() {
        let text = |name: &str| pair[name].as_str().unwrap_or_default().to_owned();
        let effect = text("effect");
        assert_eq!(effect == "refused", !text("error_code").is_empty() && !text("error_msg").is_empty());
        let result = if effect == "refused" { text("error_code") } else { "done".to_owned() };
        predicted.insert((text("image_id"), text("project_id")), result);
        let is_unchanged = text("image_id") == shared.id.as_str() && text("project_id") == "mem1";
        assert_eq!(effect == "unchanged", is_unchanged, "{pair}");
    }
    assert_eq!(predicted.len(), 15);
    for image in [&plain, &sealed] {
        world.assert_members(image, &[]).await;
    }

    let applied = world.send("POST", "golden", "/apply", &Value::Null).await;
    applied.expect_status(200);
    world.functions.local.run_open_work().await;
    let mut actual = results(&world, &applied.body["job_ids"]).await;
    for refused in applied.body["refused"].as_array().unwrap() {
        let text = |name: &str| refused[name].as_str().unwrap().to_owned();
        for project in ["mem1", "mem2", "far"] {
            actual.insert((text("image_id"), project.to_owned()), text("error_code"));
        }
    }
    assert_eq!(actual, predicted);
    assert_eq!(actual[&(sealed.id.to_string(), "mem1".to_owned())], "IMG.0099");
    assert_eq!(actual[&(plain.id.to_string(), "far".to_owned())], "IMG.0177");
    assert_eq!((&applied.body["images"], applied.body.get("next")), (&json!(4), None));
    assert_eq!(applied.body["refused"][0]["image_id"], hidden.id.as_str());
    world.assert_members(&plain, &["mem1", "mem2"]).await;

    let again = world.send("POST", "golden", "/dry-run", &Value::Null).await;
    let effects = again.body["first_pairs"].as_array().unwrap();
    assert!(effects.iter().all(|pair| pair["effect"] != "shared"), "{again:?}");
}

#[tokio::test]
async fn limits_count_within_a_dry_run() {
    let limits =
        imageshare::domain::Limits { members_per_image: 2, pending_per_owner: 2, ..Default::default() };
    let world = World::start_with(limits);
    world
        .put_golden("golden", json!({"projects": ["mem1", "mem2", "mem3"]}), json!({"enabled": false}))
        .await;
    for number in 0..3 {
        world.create(&format!("golden-{number}"), Visibility::Shared).await;
    }
    let run = world.send("POST", "golden", "/dry-run", &Value::Null).await;
    let effects: Vec<_> =
        run.body["first_pairs"].as_array().unwrap().iter().map(|pair| &pair["effect"]).collect();
    let expected =
        [["shared", "shared", "refused"], ["shared", "shared", "refused"], ["refused", "refused", "shared"]];
    assert_eq!(effects, expected.as_flattened().iter().collect::<Vec<_>>(), "{run:?}");
}

#[tokio::test]
async fn many_images_are_applied_in_pages() {
    let world = World::start();
    world.put_golden("golden", json!({"projects": ["mem1"]}), json!({"enabled": false})).await;
    for number in 0..230 {
        world.create(&format!("golden-{number}"), Visibility::Shared).await;
    }
    let applied = world.send("POST", "golden", "/apply", &Value::Null).await;
    applied.expect_status(200);
    assert_eq!(
        (applied.body["job_ids"].as_array().unwrap().len(), &applied.body["images"]),
        (3, &json!(230))
    );
    assert_eq!(applied.body.get("next"), None);

    // So many recipients that each job has few images.
    let many: Vec<_> = (0..100).map(|number| format!("many-{number:02}")).collect();
    world.enter(OWNER, ("acme", "home"), Some("o-1")).await;
    world.put_golden("many", json!({"projects": many}), json!({"enabled": false})).await;
    let (mut images, mut requests, mut marker) = (0, 0, String::new());
    loop {
        let applied = world.send("POST", "many", &format!("/apply{marker}"), &Value::Null).await;
        applied.expect_status(200);
        images += applied.body["images"].as_u64().unwrap();
        requests += 1;
        match applied.body["next"].as_str() {
            Some(next) => marker = format!("?after={next}"),
            None => break,
        }
    }
    assert_eq!((images, requests), (230, 1));
    assert_eq!(world.causes("many").await, ["applied"; 3]);
    let bad = world.send("POST", "many", "/apply?after=golden", &Value::Null).await;
    bad.expect_error(400, "IMG.0001");
}

#[tokio::test]
async fn application_stops_at_a_full_queue_and_continues() {
    let limits = imageshare::domain::Limits { open_pairs_per_tenant: 10_000, ..Default::default() };
    let world = World::start_with(limits);
    let many: Vec<_> = (0..99).map(|number| format!("many-{number:02}")).collect();
    world.put_golden("golden", json!({"projects": many}), json!({"enabled": false})).await;
    for number in 0..150 {
        world.create(&format!("golden-{number}"), Visibility::Shared).await;
    }
    let applied = world.send("POST", "golden", "/apply", &Value::Null).await;
    applied.expect_status(200);
    assert_eq!(
        (applied.body["job_ids"].as_array().unwrap().len(), &applied.body["images"]),
        (1, &json!(100))
    );
    let next = format!("/apply?after={}", applied.body["next"].as_str().unwrap());
    world.send("POST", "golden", &next, &Value::Null).await.expect_error(429, "IMG.0060");
    world.functions.local.run_open_work().await;
    let rest = world.send("POST", "golden", &next, &Value::Null).await;
    rest.expect_status(200);
    assert_eq!((&rest.body["images"], rest.body.get("next")), (&json!(50), None));
}
