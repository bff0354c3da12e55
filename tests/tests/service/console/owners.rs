//! *Trusted Owners*.

use imageshare_tests::deployment::Deployment;
use imageshare_tests::events::HttpEvent;
use imageshare_tests::in_process::Functions;
use imageshare_tests::visitor::Visitor;
use serde_json::json;

use super::world::{create_vault, full_ecs, share_new};

#[tokio::test]
async fn images_of_a_trusted_owner_are_accepted_at_once() {
    let functions = Functions::start();
    let visitor = Visitor::member(&functions, "mem1");
    create_vault(&visitor, "main", "100").await;
    visitor.open("owners").await.expect_text("No owners are trusted or blocked.");
    let form = [("owner", "own1"), ("policy", "trusted"), ("vault", "main")];
    let saved = visitor.submit("owners/new", &form).await;
    let page = visitor.follow(&saved).await;
    page.expect_text("Saved.").expect_text("<code>own1</code>").expect_text("Trusted").expect_text("main");
    share_new(&functions, full_ecs("server", 40)).await;
    visitor.open("shared").await.expect_text("server").expect_no_text("for your answer");
    let page = visitor.open("owners/edit?owner=own1").await;
    assert_eq!(page.field("owner"), "own1");
    page.expect_text("value=\"trusted\" checked")
        .expect_text("<option value=\"main\" selected>main</option>");
    let blocked =
        visitor.submit("owners/edit", &[("owner", "own1"), ("policy", "blocked"), ("vault", "main")]).await;
    visitor.follow(&blocked).await.expect_text("Blocked").expect_no_text("<code>main</code>");
    let removed = visitor.submit("owners", &[("remove", "own1")]).await;
    visitor.follow(&removed).await.expect_text("Removed.").expect_text("No owners are trusted or blocked.");
}

#[tokio::test]
async fn owner_is_found_by_its_names() {
    let functions = Functions::start();
    for (project, name) in [("own1", "web"), ("own2", "shop")] {
        let entry = json!({"account": "Acme", "project": name});
        let put = HttpEvent::new("PUT /v1/tenants/{project_id}", &format!("/v1/tenants/{project}"));
        functions.send(&put.token(&Deployment::token("ops", "admin")).json(&entry)).await.expect_status(200);
    }
    let visitor = Visitor::member(&functions, "mem1");
    let cases = [
        ("", "", "owner", "Enter the owner&#39;s project ID or account name."),
        ("Acme", "", "project", "The account has several projects."),
        ("Nobody", "", "account", "The directory has no such account"),
        (&"x".repeat(65), "", "account", "A name has 1 to 64 characters."),
    ];
    for (account, project, field, problem) in cases {
        let form = [("account", account), ("project", project), ("policy", "blocked")];
        let page = visitor.submit("owners/new", &form).await;
        page.expect_status(400).expect_text(&format!("<a href=\"#{field}\">{problem}"));
        page.expect_text("value=\"blocked\" checked");
    }
    let form = [("account", "Acme"), ("project", "shop"), ("policy", "blocked")];
    let saved = visitor.submit("owners/new", &form).await;
    visitor.follow(&saved).await.expect_text("<code>own2</code>");
}

#[tokio::test]
async fn wrong_policy_is_told_at_its_field() {
    let functions = Functions::start();
    let visitor = Visitor::member(&functions, "mem1");
    for (owner, policy, vault, field) in [
        ("own1", "", "", "policy"),
        ("a b", "trusted", "", "owner"),
        ("mem1", "trusted", "", "owner"),
        ("own1", "trusted", "none", "vault"),
        ("own1", "trusted", "a b", "vault"),
    ] {
        let form = [("owner", owner), ("policy", policy), ("vault", vault)];
        let page = visitor.submit("owners/new", &form).await;
        page.expect_status(400).expect_text(&format!("<a href=\"#{field}\">"));
        assert_eq!(page.field("owner"), owner);
    }
    visitor.submit("owners", &[("remove", "a b")]).await.expect_status(400);
    visitor.open("owners").await.expect_text("No owners are trusted or blocked.");
}

#[tokio::test]
async fn policy_of_another_project_looks_like_none() {
    let functions = Functions::start();
    let visitor = Visitor::member(&functions, "mem1");
    visitor.submit("owners/new", &[("owner", "own1"), ("policy", "blocked")]).await.expect_status(303);
    let stranger = Visitor::member(&functions, "str1");
    stranger.open("owners/edit?owner=own1").await.expect_status(404);
    stranger.open("owners/edit").await.expect_status(404);
    stranger.submit("owners", &[("remove", "own1")]).await.expect_status(303);
    let reader = Visitor::with_role(&functions, "mem1", "reader");
    reader.open("owners/new").await.expect_status(403);
    for page in ["owners", "owners/edit?owner=own1"] {
        let page = reader.open(page).await;
        page.expect_status(200);
        assert_eq!(page.html().matches("<button").count(), 1, "the only button signs out");
    }
    for page in ["owners", "owners/new", "owners/edit"] {
        let form = [("owner", "own1"), ("policy", "trusted"), ("remove", "own1")];
        reader.submit(page, &form).await.expect_status(403);
    }
    visitor.open("owners").await.expect_text("Blocked");
}
