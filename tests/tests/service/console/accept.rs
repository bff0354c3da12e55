//! *Accept Full-ECS Image* and *Accept All*.

use imageshare_tests::in_process::Functions;
use imageshare_tests::visitor::Visitor;
use serde_json::json;

use super::world::{accept_into_vault, full_ecs, share_new, vault_fields};

#[tokio::test]
async fn vault_is_asked_for_exactly_if_an_image_needs_one() {
    let functions = Functions::start();
    let plain = share_new(&functions, json!({"name": "plain"})).await;
    let server = share_new(&functions, full_ecs("server", 40)).await;
    let visitor = Visitor::member(&functions, "mem1");
    let both = [("form", "1"), ("image", plain.as_str()), ("image", server.as_str()), ("decision", "accept")];
    let asked = visitor.submit("shared", &both).await;
    assert_eq!(asked.location(), format!("/console/shared/accept?image={plain}&image={server}"));
    let page = visitor.follow(&asked).await;
    page.expect_text(">Accept Full-ECS Image</h1>").expect_text("needs 40 GiB in a vault");
    page.expect_text("You have no vault yet.").expect_text("2 images will be accepted.");
    let accepted = visitor.submit("shared", &[("form", "2"), ("accept", &plain)]).await;
    visitor.follow(&accepted).await.expect_text("1 image is accepted");
}

#[tokio::test]
async fn only_suitable_vaults_can_be_chosen() {
    let functions = Functions::start();
    let image = share_new(&functions, full_ecs("server", 40)).await;
    let visitor = Visitor::member(&functions, "mem1");
    for (id, capacity, protection) in
        [("copies", "500", "replication"), ("small", "39", "backup"), ("wide", "500", "backup")]
    {
        visitor.submit("vaults/new", &vault_fields(id, capacity, protection)).await.expect_status(303);
    }
    let page = visitor.open(&format!("shared/accept?image={image}")).await;
    page.expect_text("wide: Backup, 500 of 500 GiB free");
    page.expect_text("Only a vault with the protection type Backup")
        .expect_text("Too small: 40 GiB are needed.");
    for (vault, is_disabled) in [("copies", true), ("small", true), ("wide", false)] {
        let (_, rest) = page.html().split_once(&format!("value=\"{vault}\"")).expect("the vault");
        let (attributes, _) = rest.split_once('>').expect("an element");
        assert_eq!(attributes.contains("disabled"), is_disabled, "{vault}: {attributes}");
    }
    let form = [("form", "1"), ("image", image.as_str())];
    let refused = visitor.submit("shared/accept", &form).await;
    refused.expect_status(400).expect_text("Choose a vault with enough free capacity.");
    assert_eq!(refused.field("image"), image, "the selection is kept");
    accept_into_vault(&visitor, &image, "wide").await;
    visitor.open("vaults").await.expect_text("40 of 500 GiB");
}

#[tokio::test]
async fn vault_is_created_on_the_way_and_the_selection_kept() {
    let functions = Functions::start();
    let first = share_new(&functions, full_ecs("first", 40)).await;
    let second = share_new(&functions, full_ecs("second", 60)).await;
    let visitor = Visitor::member(&functions, "mem1");
    let selection = format!("image={first}&image={second}");
    let page = visitor.open(&format!("shared/accept?{selection}")).await;
    page.expect_text("2 full-ECS images need 100 GiB");
    page.expect_text(&format!("/console/vaults/new?image={first}&#38;image={second}"));
    let page = visitor.open(&format!("vaults/new?{selection}")).await;
    assert_eq!(page.field("image"), first);
    let images = [("image", first.as_str()), ("image", second.as_str())];
    let invalid = [&images[..], &vault_fields("new", "0", "backup")].concat();
    visitor.submit("vaults/new", &invalid).await.expect_status(400).expect_text(&second);
    let valid = [&images[..], &vault_fields("new", "100", "backup")].concat();
    let created = visitor.submit("vaults/new", &valid).await;
    let page = visitor.follow(&created).await;
    page.expect_text("Saved.")
        .expect_text("value=\"new\" checked")
        .expect_text("first")
        .expect_text("second");
    let form = [&images[..], &[("form", "1"), ("vault", "new")]].concat();
    visitor.follow(&visitor.submit("shared/accept", &form).await).await.expect_text("2 images are accepted");
}

#[tokio::test]
async fn accept_all_is_one_job_and_leaves_out_hidden_images() {
    let functions = Functions::start();
    share_new(&functions, json!({"name": "seen"})).await;
    let hidden = share_new(&functions, json!({"name": "withheld"})).await;
    let visitor = Visitor::member(&functions, "mem1");
    hide(&functions, &hidden).await;
    let page = visitor.open("shared/accept?all=1").await;
    page.expect_text("1 image will be accepted.")
        .expect_text("Images that their owners hide now are left out.");
    page.expect_text("seen").expect_no_text("Vault for the backups");
    let form = [("form", page.field("form")), ("seen", page.field("seen")), ("all", "1")];
    let accepted = visitor.submit("shared/accept", &form).await;
    accepted.expect_status(303);
    let again = visitor.submit("shared/accept", &form).await;
    assert_eq!(again.location(), accepted.location(), "a form sent twice is one job");
    let page = visitor.follow(&accepted).await;
    page.expect_text("1 image is accepted").expect_text("seen").expect_no_text("withheld");
}

/// Makes an image of `own1` private.
async fn hide(functions: &Functions, image: &str) {
    use imageshare_tests::deployment::Deployment;
    use imageshare_tests::events::HttpEvent;
    let patch = json!([{"op": "replace", "path": "/visibility", "value": "private"}]);
    let event = HttpEvent::new("PATCH /v2/images/{image_id}", &format!("/v2/images/{image}"))
        .token(&Deployment::token("own1", "member"))
        .header("content-type", "application/openstack-images-v2.1-json-patch")
        .text(&patch.to_string());
    functions.send(&event).await.expect_status(200);
    functions.local.run_open_work().await;
}

#[tokio::test]
async fn accept_all_accepts_no_image_that_was_not_seen() {
    let functions = Functions::start();
    share_new(&functions, json!({"name": "seen"})).await;
    let visitor = Visitor::member(&functions, "mem1");
    let page = visitor.open("shared/accept?all=1").await;
    share_new(&functions, json!({"name": "later"})).await;
    let form = [("form", page.field("form")), ("seen", page.field("seen")), ("all", "1")];
    let changed = visitor.submit("shared/accept", &form).await;
    changed.expect_status(409).expect_text("have changed meanwhile").expect_text("later");
    visitor.open("shared").await.expect_text("2 images wait for your answer");
    let form = [("form", changed.field("form")), ("seen", changed.field("seen")), ("all", "1")];
    visitor.follow(&visitor.submit("shared/accept", &form).await).await.expect_text("2 images are accepted");
    visitor.open("shared/accept?all=1").await.expect_text("None of these images waits for your answer.");
}

#[tokio::test]
async fn accept_all_goes_on_without_a_vault_if_asked_to() {
    let functions = Functions::start();
    share_new(&functions, json!({"name": "plain"})).await;
    share_new(&functions, full_ecs("server", 40)).await;
    let visitor = Visitor::member(&functions, "mem1");
    let page = visitor.open("shared/accept?all=1").await;
    page.expect_text(">Accept Full-ECS Image</h1>").expect_text("No vault: full-ECS images go on waiting");
    let seen = page.field("seen");
    let undecided = visitor.submit("shared/accept", &[("form", "1"), ("seen", seen), ("all", "1")]).await;
    undecided.expect_status(400).expect_text("Choose a vault");
    let form = [("form", "2"), ("seen", seen), ("all", "1"), ("vault", "")];
    let page = visitor.follow(&visitor.submit("shared/accept", &form).await).await;
    page.expect_text("1 image waits for your answer").expect_text("1 image is accepted");
}

#[tokio::test]
async fn image_that_is_not_shared_any_more_is_left_out() {
    let functions = Functions::start();
    let image = share_new(&functions, json!({"name": "golden"})).await;
    let visitor = Visitor::member(&functions, "mem1");
    let page = visitor.open(&format!("shared/accept?image={image}&image=gone")).await;
    page.expect_text("1 of the selected images is not shared with you any more")
        .expect_no_text("value=\"gone\"");
    let none = visitor.submit("shared/accept", &[("form", "1"), ("image", "gone")]).await;
    none.expect_status(409).expect_text("None of these images waits for your answer.");
    visitor.open("shared/accept").await.expect_status(400).expect_text("Select at least one image.");
}
