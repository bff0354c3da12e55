//! The API of share rules.

use imageshare_tests::deployment::Deployment;
use imageshare_tests::events::HttpEvent;
use serde_json::{Value, json};

use super::{OWNER, World};

fn full_body() -> Value {
    json!({
        "pattern": {"name": [{"prefix": "golden"}], "$or": [{"tags": ["a"]}, {"min_disk": [{"numeric": [">", 1]}]}]},
        "recipients": {
            "projects": ["mem1"],
            "accounts": [{"name": "acme"}, {"name": "acme", "project": "web"}],
            "organizations": [],
        },
        "enabled": false,
        "withdraw_unmatched": true,
    })
}

#[tokio::test]
async fn rule_is_created_shown_replaced_and_deleted() {
    let world = World::start();
    let created = world.send("PUT", "golden", "", &full_body()).await;
    created.expect_status(200);
    let rule = &created.body["share_rule"];
    for (field, value) in full_body().as_object().unwrap() {
        assert_eq!(&rule[field], value, "{field}");
    }
    assert_eq!((&rule["name"], &rule["revision"]), (&json!("golden"), &json!(1)));
    assert_eq!(&world.rule("golden").await, rule);

    let other = json!({"pattern": {"name": ["a"]}, "recipients": {"projects": ["mem2"]}});
    let replaced = world.send("PUT", "golden", "", &other).await;
    let replaced = &replaced.body["share_rule"];
    assert_eq!((&replaced["revision"], &replaced["enabled"]), (&json!(2), &json!(true)));
    assert_eq!(replaced["created_at"], rule["created_at"]);
    assert_eq!(replaced["recipients"], json!({"projects": ["mem2"], "accounts": [], "organizations": []}));

    for _ in ["deleted", "missing"] {
        world.send("DELETE", "golden", "", &Value::Null).await.expect_status(204);
    }
    for (method, action) in [
        ("GET", ""),
        ("GET", "/jobs"),
        ("POST", "/enable"),
        ("POST", "/disable"),
        ("POST", "/apply"),
        ("POST", "/dry-run"),
    ] {
        world.send(method, "golden", action, &Value::Null).await.expect_error(404, "IMG.0086");
    }
}

#[tokio::test]
async fn enabling_twice_changes_a_rule_once() {
    let world = World::start();
    world.send("PUT", "golden", "", &full_body()).await.expect_status(200);
    for (action, revision) in [("/enable", 2), ("/enable", 2), ("/disable", 3), ("/disable", 3)] {
        let changed = world.send("POST", "golden", action, &Value::Null).await;
        changed.expect_status(200);
        let rule = &changed.body["share_rule"];
        assert_eq!((&rule["revision"], &rule["enabled"]), (&json!(revision), &json!(action == "/enable")));
        assert_eq!(rule["pattern"], full_body()["pattern"]);
    }
}

#[tokio::test]
async fn rules_and_jobs_are_listed_in_pages() {
    let world = World::start();
    for name in ["c", "a", "b"] {
        world.put_golden(name, json!({"projects": ["mem1"]}), json!({})).await;
    }
    let list = async |query: &str| {
        let route = "GET /v1/share-rules";
        world.functions.send_without_body(OWNER, route, &format!("/v1/share-rules{query}")).await.body
    };
    let names = |page: &Value| -> Vec<String> {
        let rules = page["share_rules"].as_array().unwrap();
        rules.iter().map(|rule| rule["name"].as_str().unwrap().to_owned()).collect()
    };
    let first = list("?limit=2").await;
    assert_eq!(names(&first), ["a", "b"]);
    let marker = first["page_info"]["next_marker"].as_str().unwrap();
    let rest = list(&format!("?limit=2&marker={marker}")).await;
    assert_eq!((names(&rest), rest["page_info"].get("next_marker")), (vec!["c".to_owned()], None));

    let mut images = Vec::new();
    for number in 0..3 {
        images.push(world.register(&format!("golden-{number}")).await);
    }
    let page = world.send("GET", "a", "/jobs?limit=2", &Value::Null).await.body;
    let jobs = page["jobs"].as_array().unwrap();
    assert!(jobs.len() == 2 && jobs[0]["job_id"].as_str() > jobs[1]["job_id"].as_str(), "{page}");
    let marker = page["page_info"]["next_marker"].as_str().unwrap();
    let rest = world.send("GET", "a", &format!("/jobs?limit=2&marker={marker}"), &Value::Null).await.body;
    assert!(rest["jobs"][0]["job_id"].as_str() < jobs[1]["job_id"].as_str(), "{rest}");
    assert_eq!(rest["jobs"].as_array().unwrap().len(), 1);
    world
        .send("GET", "b", &format!("/jobs?marker={marker}"), &Value::Null)
        .await
        .expect_error(400, "IMG.0001");
}

#[tokio::test]
async fn rule_belongs_to_its_project() {
    let world = World::start();
    world.put_golden("golden", json!({"projects": ["mem1"]}), json!({})).await;
    let before = world.rule("golden").await;
    for project in ["str1", "mem1"] {
        for (method, action) in
            [("GET", ""), ("GET", "/jobs"), ("POST", "/enable"), ("POST", "/apply"), ("POST", "/dry-run")]
        {
            world
                .send_as(project, method, "golden", action, &Value::Null)
                .await
                .expect_error(404, "IMG.0086");
        }
        world.send_as(project, "DELETE", "golden", "", &Value::Null).await.expect_status(204);
        let body =
            json!({"pattern": {"name": [{"prefix": "golden"}]}, "recipients": {"projects": ["other"]}});
        world.send_as(project, "PUT", "golden", "", &body).await.expect_status(200);
    }
    assert_eq!(world.rule("golden").await, before);
    // The rules of others do not act on the owner's images, and the owner's not on theirs.
    let image = world.register("golden-1").await;
    world.assert_members(&image, &["mem1"]).await;
    let theirs = world.functions.create_image("str1", &json!({"name": "golden-2"})).await;
    let theirs = world.functions.local.read_image(&theirs.parse().unwrap()).await;
    world.deliver(None, &theirs).await;
    assert_eq!(world.functions.local.member_count(&theirs.id).await, 1);
}

#[tokio::test]
async fn impossible_recipients_are_refused_at_once() {
    let world = World::start();
    let with = |recipients: Value| json!({"pattern": {"name": ["a"]}, "recipients": recipients});
    let own = world.send("PUT", "own", "", &with(json!({"projects": ["mem1", OWNER]}))).await;
    own.expect_error(400, "IMG.0076");
    world.enter(OWNER, ("acme", "home"), None).await;
    world.enter("mem1", ("acme", "web"), None).await;
    let name = world.send("PUT", "name", "", &with(json!({"projects": ["web"]}))).await;
    name.expect_error(400, "IMG.0104");
    let pattern = json!({"pattern": {"name": [{"wildcard": "**"}]}, "recipients": {"projects": ["mem1"]}});
    let pattern = world.send("PUT", "pattern", "", &pattern).await;
    pattern.expect_error(400, "IMG.0001");
    assert!(pattern.message().starts_with("pattern.name[0].wildcard: expected a text with at most three *"));
    for name in ["own", "name", "pattern"] {
        world.send("GET", name, "", &Value::Null).await.expect_status(404);
    }
}

#[tokio::test]
async fn reader_sees_rules_and_changes_none() {
    let world = World::start();
    world.put_golden("golden", json!({"projects": ["mem1"]}), json!({})).await;
    let send = async |method: &str, action: &str| {
        let event = HttpEvent::new(
            &format!("{method} /v1/share-rules/{{rule_name}}{action}"),
            &format!("/v1/share-rules/golden{action}"),
        );
        let event = event.token(&Deployment::token(OWNER, "reader"));
        world.functions.send(&if method == "PUT" { event.json(&full_body()) } else { event }).await
    };
    for action in ["", "/jobs"] {
        send("GET", action).await.expect_status(200);
    }
    for (method, action) in [
        ("PUT", ""),
        ("DELETE", ""),
        ("POST", "/enable"),
        ("POST", "/disable"),
        ("POST", "/apply"),
        ("POST", "/dry-run"),
    ] {
        send(method, action).await.expect_error(403, "IMG.0026");
    }
}
