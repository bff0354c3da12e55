//! *Share Rules*.

use imageshare::domain::Limits;
use imageshare_tests::in_process::Functions;
use imageshare_tests::visitor::Visitor;
use serde_json::json;

const PATTERN: &str = r#"{"name": [{"prefix": "golden-"}]}"#;

fn rule<'a>(name: &'a str, pattern: &'a str, ids: &'a str) -> [(&'a str, &'a str); 4] {
    [("name", name), ("pattern", pattern), ("ids", ids), ("enabled", "yes")]
}

#[tokio::test]
async fn rule_is_created_tried_disabled_and_deleted() {
    let functions = Functions::start();
    let image = functions.create_image("own1", &json!({"name": "golden-1"})).await;
    functions.create_image("own1", &json!({"name": "other"})).await;
    let private = json!({"name": "golden-2", "visibility": "private"});
    functions.create_image("own1", &private).await;
    let owner = Visitor::member(&functions, "own1");
    owner.open("share-rules").await.expect_status(200).expect_text("No share rules yet.");
    owner.open("share-rules/new").await.expect_status(200).expect_text("golden-");
    let form = rule("golden", PATTERN, "mem1, mem2");
    let created = owner.submit("share-rules/new", &form).await;
    assert_eq!(created.location(), "/console/share-rule/golden?done=saved");
    assert_eq!(owner.submit("share-rules/new", &form).await.location(), created.location());
    let page = owner.follow(&created).await;
    page.expect_status(200).expect_text("Enabled").expect_text("Project mem2").expect_text("golden-");
    owner.open("share-rules").await.expect_text("2 recipients");
    let run = owner.open("share-rule/golden/dry-run").await;
    run.expect_status(200)
        .expect_text("The rule matches 2 images, and has 2 projects as recipients.")
        .expect_text("Would be shared")
        .expect_text("Its visibility is “Private”.");
    Visitor::member(&functions, "mem1").open("shared").await.expect_text("Nothing is shared");
    owner.submit("share-rule/golden/disable", &[]).await.expect_status(303);
    owner.open("share-rule/golden").await.expect_text("Disabled").expect_text("/enable");
    owner.submit("share-rule/golden/enable", &[]).await.expect_status(303);
    owner.open("share-rule/golden/delete").await.expect_text("What the rule has shared stays shared.");
    owner.submit("share-rule/golden/delete", &[]).await.expect_status(303);
    owner.submit("share-rule/golden/delete", &[]).await.expect_status(303);
    owner.open("share-rule/golden").await.expect_status(404);
    owner.open(&format!("images/{image}")).await.expect_status(200);
}

#[tokio::test]
async fn rule_is_applied_after_its_dry_run() {
    let functions = Functions::start();
    functions.create_image("own1", &json!({"name": "golden-1"})).await;
    let owner = Visitor::member(&functions, "own1");
    owner.submit("share-rules/new", &rule("golden", PATTERN, "mem1")).await.expect_status(303);
    owner.submit("share-rule/golden/disable", &[]).await.expect_status(303);
    let run = owner.open("share-rule/golden/dry-run").await;
    run.expect_text("Apply rule</button>");
    let form = [("form", run.field("form"))];
    let applied = owner.submit("share-rule/golden/apply", &form).await;
    applied.expect_status(303);
    let twice = owner.submit("share-rule/golden/apply", &form).await;
    assert_eq!(twice.location(), applied.location(), "the same form makes no other job");
    let page = owner.follow(&applied).await;
    page.expect_text("1 share is made").expect_text("Applied by its owner").expect_no_text("to the rest");
    Visitor::member(&functions, "mem1").open("shared").await.expect_text("1 image waits");
    let again = owner.submit("share-rule/golden/apply", &[("form", "2")]).await;
    assert_ne!(again.location(), applied.location());
}

#[tokio::test]
async fn rule_that_shares_nothing_says_so() {
    let functions = Functions::start();
    let owner = Visitor::member(&functions, "own1");
    owner.submit("share-rules/new", &rule("golden", PATTERN, "mem1")).await.expect_status(303);
    owner.open("share-rule/golden/dry-run").await.expect_text("share nothing").expect_no_text("Apply rule");
    let applied = owner.submit("share-rule/golden/apply", &[("form", "1")]).await;
    owner.follow(&applied).await.expect_text("Nothing was shared: the rule has no recipients");
}

#[tokio::test]
async fn rule_that_matches_much_is_applied_in_parts() {
    let limits = Limits { images_per_tenant: 1_001, pending_per_owner: 1_001, ..Limits::default() };
    let functions = Functions::start_with(limits);
    let owner = Visitor::member(&functions, "own1");
    owner.submit("share-rules/new", &rule("golden", PATTERN, "mem1")).await.expect_status(303);
    owner.submit("share-rule/golden/disable", &[]).await.expect_status(303);
    for number in 0..1_001 {
        functions.create_image("own1", &json!({"name": format!("golden-{number}")})).await;
    }
    let first = owner.submit("share-rule/golden/apply", &[("form", "1")]).await;
    first.expect_status(303);
    assert_eq!(first.location().matches("job=").count(), 10);
    let page = owner.open(first.location().strip_prefix("/console/").expect("a page")).await;
    page.expect_text("Apply to the rest");
    let rest = page.fields("rest").concat();
    let form = [("form", page.field("form")), ("rest", &rest)];
    let second = owner.submit("share-rule/golden/apply", &form).await;
    assert_eq!(second.location().matches("job=").count(), 1, "{}", second.location());
    assert!(!second.location().contains("rest="));
    let altered = [("form", "3"), ("rest", "i-1~5~x")];
    owner.submit("share-rule/golden/apply", &altered).await.expect_status(400);
}

#[tokio::test]
async fn jobs_of_a_rule_are_on_its_page() {
    let functions = Functions::start();
    let owner = Visitor::member(&functions, "own1");
    owner.submit("share-rules/new", &rule("golden", PATTERN, "mem1")).await.expect_status(303);
    owner.open("share-rule/golden").await.expect_text("The rule has made no job");
    functions.create_image("own1", &json!({"name": "golden-1"})).await;
    functions.local.carry_out_effects().await;
    let page = owner.open("share-rule/golden").await;
    page.expect_status(200).expect_text("An image began to match").expect_text("/console/jobs/");
    Visitor::member(&functions, "mem1").open("shared").await.expect_text("1 image waits");
}

#[tokio::test]
async fn wrong_rule_is_told_at_its_fields() {
    let functions = Functions::start();
    let owner = Visitor::member(&functions, "own1");
    owner.submit("share-rules/new", &rule("taken", PATTERN, "mem1")).await.expect_status(303);
    for (name, pattern, ids, field, message) in [
        ("a b", PATTERN, "mem1", "name", "1 to 64 of the characters"),
        ("taken", PATTERN, "mem2", "name", "There is a rule with this name already."),
        ("new", "{", "mem1", "pattern", "This is not JSON"),
        ("new", r#"{"name": [7]}"#, "mem1", "pattern", "name[0]: expected a text"),
        ("new", PATTERN, "", "ids", "Name 1 to 100 recipients"),
        ("new", PATTERN, "a/b", "ids", "a/b is not a project ID"),
        ("new", PATTERN, "own1", "ids", "own1 is your own project"),
    ] {
        let answer = owner.submit("share-rules/new", &rule(name, pattern, ids)).await;
        answer.expect_status(400).expect_text(message).expect_text(&format!("<a href=\"#{field}\">"));
    }
    let foreign = rule("new", PATTERN, "mem1").into_iter().chain([("organizations", "others")]);
    let answer = owner.submit("share-rules/new", &foreign.collect::<Vec<_>>()).await;
    answer.expect_status(400).expect_text("Your project is not a member of organization others.");
    owner.open("share-rule/new").await.expect_status(404);
}

#[tokio::test]
async fn late_edit_of_a_rule_loses_no_other_change() {
    let functions = Functions::start();
    let owner = Visitor::member(&functions, "own1");
    owner.submit("share-rules/new", &rule("golden", PATTERN, "mem1")).await.expect_status(303);
    let page = owner.open("share-rule/golden/edit").await;
    let revision = page.field("revision");
    let edit = |ids| rule("", PATTERN, ids).into_iter().chain([("revision", revision)]).collect::<Vec<_>>();
    owner.submit("share-rule/golden/edit", &edit("mem2")).await.expect_status(303);
    owner.submit("share-rule/golden/edit", &edit("mem2")).await.expect_status(303);
    let late = owner.submit("share-rule/golden/edit", &edit("mem3")).await;
    late.expect_status(400).expect_text("The rule has changed meanwhile.");
    owner.open("share-rule/golden").await.expect_text("Project mem2").expect_no_text("Project mem3");
}

#[tokio::test]
async fn rules_of_others_and_of_readers_stay_as_they_are() {
    let functions = Functions::start();
    let owner = Visitor::member(&functions, "own1");
    owner.submit("share-rules/new", &rule("golden", PATTERN, "mem1")).await.expect_status(303);
    let stranger = Visitor::member(&functions, "own2");
    for page in ["", "/edit", "/dry-run", "/delete"] {
        stranger.open(&format!("share-rule/golden{page}")).await.expect_status(404);
        stranger.open(&format!("share-rule/none{page}")).await.expect_status(404);
    }
    for action in ["disable", "apply"] {
        stranger.submit(&format!("share-rule/golden/{action}"), &[]).await.expect_status(404);
    }
    let reader = Visitor::with_role(&functions, "own1", "reader");
    let page = reader.open("share-rule/golden").await;
    page.expect_status(200).expect_no_text("/edit").expect_no_text("/delete").expect_no_text("<button>Dis");
    for page in ["edit", "dry-run", "delete"] {
        reader.open(&format!("share-rule/golden/{page}")).await.expect_status(403);
    }
    for action in ["edit", "enable", "disable", "apply", "delete"] {
        let form = [("revision", "1"), ("pattern", PATTERN)];
        reader.submit(&format!("share-rule/golden/{action}"), &form).await.expect_status(403);
    }
    reader.open("share-rules/new").await.expect_status(403);
    reader.submit("share-rules/new", &rule("mine", PATTERN, "mem1")).await.expect_status(403);
}

#[tokio::test]
async fn hostile_pattern_is_text() {
    let functions = Functions::start();
    let owner = Visitor::member(&functions, "own1");
    let pattern = r#"{"name": ["</textarea><script>alert(1)</script>\"'"]}"#;
    owner.submit("share-rules/new", &rule("evil", pattern, "mem1")).await.expect_status(303);
    for page in ["share-rule/evil", "share-rule/evil/edit"] {
        owner.open(page).await.expect_status(200).expect_no_text("<script>alert");
    }
    let wrong =
        owner.submit("share-rules/new", &rule("<script>alert(2)", "<script>alert(3)", "<script>")).await;
    wrong.expect_status(400).expect_no_text("<script>alert");
}
