//! *Directory*.

use imageshare_tests::in_process::Functions;
use imageshare_tests::visitor::Visitor;

const ENTRY: [(&str, &str); 5] =
    [("new", "1"), ("tenant", "web-1"), ("account", "Acme"), ("project", "web"), ("region", "local")];

#[tokio::test]
async fn admin_keeps_the_directory() {
    let functions = Functions::start();
    let admin = Visitor::with_role(&functions, "ops", "admin");
    admin.open("directory").await.expect_text("The directory has no project yet");
    admin.open("new-project").await.expect_status(200).expect_text("Add project");
    let saved = admin.submit("directory", &ENTRY).await;
    admin.follow(&saved).await.expect_text("Saved.").expect_text("Acme").expect_text("web-1");
    for found in ["account=Acme", "account=Acme&project=web", "account=web-1"] {
        admin.open(&format!("directory?{found}")).await.expect_text("web-1").expect_text("Show all");
    }
    for unknown in ["account=Other", "account=Acme&project=other", "account=%20", "project=web"] {
        let page = admin.open(&format!("directory?{unknown}")).await;
        page.expect_status(200);
    }
    admin.open("directory?account=Other").await.expect_text("No project in this region has these names");
    let entry = admin.open("directory/web-1").await;
    assert_eq!((entry.field("account"), entry.field("project")), ("Acme", "web"));
    admin.open("directory/web-1/delete").await.expect_text("keeps its images");
    let removed = admin.submit("directory/web-1/delete", &[]).await;
    admin.follow(&removed).await.expect_text("is removed from the directory").expect_no_text("web-1");
    admin.open("directory/web-1").await.expect_status(404);
}

#[tokio::test]
async fn wrong_entry_is_told_at_its_field() {
    let functions = Functions::start();
    let admin = Visitor::with_role(&functions, "ops", "admin");
    admin.submit("directory", &ENTRY).await.expect_status(303);
    for (field, value, expected) in [
        ("tenant", "no id", "Enter 1 to 64 letters"),
        ("account", "", "Enter 1 to 64 characters"),
        ("tenant", "web-2", "These names belong to project web-1"),
        ("cloud_account", "12", "Enter the 12 digits"),
    ] {
        let mut fields = ENTRY.to_vec();
        fields.retain(|(name, _)| *name != field);
        fields.push((field, value));
        let page = admin.submit("directory", &fields).await;
        page.expect_status(400).expect_text(expected).expect_text("aria-invalid");
    }
}

#[tokio::test]
async fn directory_is_for_admins_only() {
    let functions = Functions::start();
    let admin = Visitor::with_role(&functions, "ops", "admin");
    admin.submit("directory", &ENTRY).await.expect_status(303);
    let member = Visitor::member(&functions, "own1");
    member.open("images").await.expect_no_text("Directory");
    for page in ["directory", "new-project", "directory/web-1", "directory/other", "directory/web-1/delete"] {
        member.open(page).await.expect_status(403).expect_text("Only an admin can do this");
    }
    for page in ["directory", "directory/web-1/delete", "directory/other/delete"] {
        member.submit(page, &ENTRY).await.expect_status(403);
    }
}
