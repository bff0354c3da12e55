//! *Access Keys*.

use imageshare_tests::in_process::Functions;
use imageshare_tests::visitor::{Page, Visitor};

/// The form for a new access key.
async fn form_key(visitor: &Visitor<'_>) -> String {
    visitor.open("new-access-key").await.expect_status(200).field("form").to_owned()
}

async fn create(visitor: &Visitor<'_>, form: &str, name: &str) -> Page {
    visitor.submit("access-keys", &[("form", form), ("name", name), ("role", "member")]).await
}

/// The id of the access key on the page that follows its creation.
fn id_on(page: &Page) -> String {
    let (_, rest) = page.html().split_once("<code class=\"secret\">").expect("an id");
    rest.split('<').next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn secret_is_shown_once() {
    let functions = Functions::with_master_key();
    let visitor = Visitor::member(&functions, "own1");
    let form = form_key(&visitor).await;
    let created = create(&visitor, &form, "nightly build").await;
    created.expect_status(200).expect_text("Copy the secret now").expect_text("nightly build");
    assert_eq!(created.response().headers["cache-control"], "no-store");
    let id = id_on(&created);
    let secrets = |page: &Page| page.html().matches("<code class=\"secret\">").count();
    assert_eq!(secrets(&created), 2);
    let reloaded = create(&visitor, &form, "nightly build").await;
    reloaded.expect_status(200).expect_text("its secret is not shown again").expect_text(&id);
    assert_eq!(secrets(&reloaded), 1);
    let list = visitor.open("access-keys").await;
    assert_eq!(list.html().matches("nightly build").count(), 1);
    list.expect_text(&id).expect_text("Enabled");
}

#[tokio::test]
async fn access_key_is_renamed_and_disabled() {
    let functions = Functions::with_master_key();
    let visitor = Visitor::member(&functions, "own1");
    let id = id_on(&create(&visitor, &form_key(&visitor).await, "ci").await);
    let renamed = visitor.submit(&format!("access-keys/{id}/rename"), &[("name", "ci 2")]).await;
    visitor.follow(&renamed).await.expect_text("The access key is renamed").expect_text("ci 2");
    visitor.open(&format!("access-keys/{id}/disable")).await.expect_text("within seconds");
    let disabled = visitor.submit(&format!("access-keys/{id}/disable"), &[]).await;
    visitor.follow(&disabled).await.expect_text("The access key is disabled").expect_text("Disabled");
    visitor.open(&format!("access-keys/{id}")).await.expect_no_text("Rename");
}

#[tokio::test]
async fn wrong_field_of_an_access_key_is_named() {
    let functions = Functions::with_master_key();
    let visitor = Visitor::member(&functions, "own1");
    for (name, role, days, expected) in [
        ("", "member", "", "Enter a name of 1 to 255 characters"),
        ("ci", "", "", "Choose a role"),
        ("ci", "member", "0", "from 1 to 3650"),
        ("ci", "member", "4000", "from 1 to 3650"),
        ("ci", "member", "soon", "from 1 to 3650"),
    ] {
        let fields = [("form", "1"), ("name", name), ("role", role), ("days", days)];
        visitor.submit("access-keys", &fields).await.expect_status(400).expect_text(expected);
    }
    let fields = [("form", "1"), ("name", "ci"), ("role", "admin")];
    visitor.submit("access-keys", &fields).await.expect_status(403).expect_text("above your own");
    let fields = [("form", "2"), ("name", "ci"), ("role", "reader"), ("days", "3650")];
    visitor.submit("access-keys", &fields).await.expect_status(200);
}

#[tokio::test]
async fn access_key_of_another_project_looks_like_none() {
    let functions = Functions::with_master_key();
    let owner = Visitor::member(&functions, "own1");
    let id = id_on(&create(&owner, &form_key(&owner).await, "ci").await);
    let stranger = Visitor::member(&functions, "str1");
    for id in [id.as_str(), "AKUNKNOWN00000000000", "no id"] {
        let text = "Your project has no such access key";
        stranger.open(&format!("access-keys/{id}")).await.expect_status(404).expect_text(text);
        let rename = format!("access-keys/{id}/rename");
        stranger.submit(&rename, &[("name", "mine")]).await.expect_status(404).expect_text(text);
        let disable = format!("access-keys/{id}/disable");
        stranger.submit(&disable, &[]).await.expect_status(404).expect_text(text);
    }
}

#[tokio::test]
async fn reader_sees_access_keys_and_changes_none() {
    let functions = Functions::with_master_key();
    let owner = Visitor::member(&functions, "own1");
    let hostile = "<script>alert(1)</script>";
    let id = id_on(&create(&owner, &form_key(&owner).await, hostile).await);
    let reader = Visitor::with_role(&functions, "own1", "reader");
    let list = reader.open("access-keys").await;
    list.expect_status(200).expect_text(&id).expect_no_text("Create access key").expect_no_text(hostile);
    reader.open(&format!("access-keys/{id}")).await.expect_status(200).expect_no_text("Rename");
    for page in ["new-access-key".to_owned(), format!("access-keys/{id}/disable")] {
        reader.open(&page).await.expect_status(403);
    }
    for page in ["access-keys".to_owned(), format!("access-keys/{id}/disable")] {
        let form = [("form", "1"), ("name", "ci"), ("role", "reader")];
        reader.submit(&page, &form).await.expect_status(403).expect_text("Your role is reader");
    }
}
