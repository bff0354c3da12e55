//! *Vaults*.

use imageshare_tests::in_process::Functions;
use imageshare_tests::visitor::Visitor;

use super::world::{accept_into_vault, create_vault, full_ecs, share_new, vault_fields};

#[tokio::test]
async fn vault_is_created_changed_and_deleted() {
    let functions = Functions::start();
    let visitor = Visitor::member(&functions, "mem1");
    visitor.open("vaults").await.expect_text("No vaults yet.");
    create_vault(&visitor, "main", "100").await;
    visitor.open("vaults").await.expect_text("<code>main</code>").expect_text("0 of 100 GiB");
    let page = visitor.open("vaults/edit?vault=main").await;
    assert_eq!((page.field("vault"), page.field("capacity")), ("main", "100"));
    let mut fields = vault_fields("main", "200", "backup");
    fields[3].1 = "frozen";
    let saved = visitor.submit("vaults/edit", &fields).await;
    visitor.follow(&saved).await.expect_text("Saved.").expect_text("Frozen").expect_text("0 of 200 GiB");
    visitor.open("vaults/delete?vault=main").await.expect_text("Vault main will be deleted.");
    let deleted = visitor.submit("vaults/delete", &[("vault", "main")]).await;
    visitor.follow(&deleted).await.expect_text("Deleted.").expect_text("No vaults yet.");
}

#[tokio::test]
async fn wrong_fields_are_told_beside_them() {
    let functions = Functions::start();
    let visitor = Visitor::member(&functions, "mem1");
    let page = visitor.submit("vaults/new", &vault_fields("a b", "1.5", "tape")).await;
    page.expect_status(400).expect_text("role=\"alert\"").expect_text("value=\"a b\"");
    for (field, problem) in [
        ("vault", "A vault ID has 1 to 64"),
        ("capacity", "Enter a whole number of GiB from 1 to 10485760."),
        ("protection", "Choose one of the list."),
    ] {
        page.expect_text(&format!("<a href=\"#{field}\">{problem}"));
        page.expect_text(&format!("id=\"{field}-problem\">{problem}"));
    }
    create_vault(&visitor, "main", "100").await;
    let taken = visitor.submit("vaults/new", &vault_fields("main", "200", "backup")).await;
    taken.expect_status(409).expect_text("You have a vault with this ID already.");
    visitor.open("vaults").await.expect_text("0 of 100 GiB");
    let again = visitor.submit("vaults/new", &vault_fields("main", "100", "backup")).await;
    again.expect_status(303);
}

#[tokio::test]
async fn vault_in_use_is_neither_deleted_nor_made_too_small() {
    let functions = Functions::start();
    let image = share_new(&functions, full_ecs("server", 40)).await;
    let visitor = Visitor::member(&functions, "mem1");
    create_vault(&visitor, "main", "100").await;
    let before = visitor.open("vaults/delete?vault=main").await;
    before.expect_no_text("have reserved");
    accept_into_vault(&visitor, &image, "main").await;
    let deleted = visitor.submit("vaults/delete", &[("vault", "main")]).await;
    deleted.expect_status(409).expect_text("have reserved 40 GiB in vault main");
    let smaller = visitor.submit("vaults/edit", &vault_fields("main", "39", "backup")).await;
    smaller.expect_status(409).expect_text("have reserved 40 GiB in this vault");
    assert_eq!(smaller.field("capacity"), "39", "what was entered is kept");
    visitor.submit("vaults/edit", &vault_fields("main", "40", "backup")).await.expect_status(303);
}

#[tokio::test]
async fn vault_of_another_project_looks_like_none() {
    let functions = Functions::start();
    create_vault(&Visitor::member(&functions, "mem1"), "main", "100").await;
    let stranger = Visitor::member(&functions, "str1");
    for page in ["vaults/edit?vault=main", "vaults/delete?vault=main", "vaults/edit?vault=", "vaults/edit"] {
        stranger.open(page).await.expect_status(404);
    }
    stranger.submit("vaults/edit", &vault_fields("main", "5", "backup")).await.expect_status(404);
    stranger.submit("vaults/delete", &[("vault", "main")]).await.expect_status(303);
    Visitor::member(&functions, "mem1").open("vaults").await.expect_text("0 of 100 GiB");
}

#[tokio::test]
async fn reader_changes_no_vault() {
    let functions = Functions::start();
    create_vault(&Visitor::member(&functions, "mem1"), "main", "100").await;
    let reader = Visitor::with_role(&functions, "mem1", "reader");
    reader.open("vaults/new").await.expect_status(403);
    for page in ["vaults", "vaults/edit?vault=main", "vaults/delete?vault=main"] {
        let page = reader.open(page).await;
        page.expect_status(200);
        assert_eq!(page.html().matches("<button").count(), 1, "the only button signs out");
    }
    for page in ["vaults/new", "vaults/edit", "vaults/delete"] {
        reader.submit(page, &vault_fields("main", "7", "backup")).await.expect_status(403);
    }
}
