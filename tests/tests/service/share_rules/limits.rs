//! Rules with many recipients, and many rules.

use std::sync::Arc;

use imageshare::domain::{JobId, Limits, Outcome, Visibility};
use imageshare::table::{AttributeValue, Item, Table, TransactionToken, Write};
use serde_json::{Value, json};

use super::{OWNER, World};

/// Members of the organization of the owner.
const MEMBERS: usize = 10_000;

/// Writes directory entries directly, since ten thousand requests would take long.
async fn enter_members(world: &World) {
    let text = |value: &str| AttributeValue::S(value.to_owned());
    let item = |attributes: &[(&str, &str)]| -> Item {
        attributes.iter().map(|(name, value)| ((*name).to_owned(), text(value))).collect()
    };
    let table: Arc<dyn Table> = Arc::new(world.functions.local.table.clone());
    for first in (0..MEMBERS).step_by(50) {
        let writes = (first..first + 50).flat_map(|number| {
            let id = format!("member-{number:05}");
            let tenant = item(&[
                ("pk", &format!("T#{id}")),
                ("sk", "A"),
                ("account", "many"),
                ("project", &id),
                ("region", "local"),
                ("organization", "o-1"),
                ("gpk", "D#"),
                ("gsk", &id),
            ]);
            [tenant, item(&[("pk", "O#o-1"), ("sk", &id)])].map(Write::put)
        });
        let writes: Vec<_> = writes.collect();
        table.transact_write_items(&writes, TransactionToken::random()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_recipients_of_a_rule_are_one_job() {
    let world = World::start_with(Limits { members_per_image: 5_000, ..Limits::default() });
    world.enter(OWNER, ("acme", "home"), Some("o-1")).await;
    enter_members(&world).await;
    world.put_golden("golden", json!({"organizations": ["o-1"]}), json!({})).await;
    let image = world.create("golden-1", Visibility::Shared).await;
    let run = world.send("POST", "golden", "/dry-run", &Value::Null).await;
    assert_eq!((&run.body["pairs"], &run.body["recipients"]), (&json!(MEMBERS), &json!(MEMBERS)));
    assert_eq!(run.body["first_pairs"].as_array().unwrap().len(), 100);

    world.deliver(None, &image).await;
    world.deliver(None, &image).await;
    let listed = world.send("GET", "golden", "/jobs", &Value::Null).await;
    let jobs = listed.body["jobs"].as_array().unwrap();
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    let job: JobId = jobs[0]["job_id"].as_str().unwrap().parse().unwrap();
    let report = world.functions.local.job_report(job).await;
    assert_eq!((report.job.pair_count(), report.done_count()), (MEMBERS, MEMBERS));
    // As far as the recipient limit of an image allows, which no deployment can set higher.
    assert_eq!(world.functions.local.member_count(&image.id).await, 5_000);
    assert!(report.failures().all(|(_, _, outcome)| outcome == Outcome::MemberLimit));
    assert_eq!(report.failures().count(), MEMBERS - 5_000);
}

#[tokio::test]
async fn project_has_at_most_100_rules() {
    let world = World::start();
    let body = json!({"pattern": {"name": ["a"]}, "recipients": {"projects": ["mem1"]}});
    for number in 0..97 {
        world.send("PUT", &format!("rule-{number:03}"), "", &body).await.expect_status(200);
    }
    let names: Vec<_> = (0..8).map(|number| format!("late-{number}")).collect();
    let puts = names.iter().map(|name| world.send("PUT", name, "", &body));
    let responses = futures_util::future::join_all(puts).await;
    assert_eq!(responses.iter().filter(|response| response.status == 200).count(), 3);
    for refused in responses.iter().filter(|response| response.status != 200) {
        refused.expect_error(400, "IMG.0088");
    }
    // A rule that exists can still be replaced, and one that is deleted leaves room.
    world.send("PUT", "rule-000", "", &body).await.expect_status(200);
    for _ in 0..2 {
        world.send("DELETE", "rule-000", "", &Value::Null).await.expect_status(204);
    }
    world.send("PUT", "new-1", "", &body).await.expect_status(200);
    world.send("PUT", "new-2", "", &body).await.expect_error(400, "IMG.0088");
}
