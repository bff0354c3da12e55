//! *Images Shared with Me*, *Rejected Images*, and the question before a vault becomes free.

use imageshare_tests::in_process::Functions;
use imageshare_tests::visitor::Visitor;
use serde_json::json;

use super::world::{accept_into_vault, create_vault, full_ecs, share_new};

#[tokio::test]
async fn pending_image_is_in_the_message_and_then_in_the_list() {
    let functions = Functions::start();
    let image = share_new(&functions, json!({"name": "golden"})).await;
    let visitor = Visitor::member(&functions, "mem1");
    let page = visitor.open("shared").await;
    page.expect_status(200).expect_text("1 image waits for your answer").expect_text("golden");
    let form = [("form", page.field("form")), ("image", &image), ("decision", "accept")];
    let accepted = visitor.submit("shared", &form).await;
    accepted.expect_status(303);
    let page = visitor.follow(&accepted).await;
    page.expect_status(200).expect_text("golden").expect_no_text("for your answer");
}

#[tokio::test]
async fn row_button_decides_on_its_image_only() {
    let functions = Functions::start();
    let first = share_new(&functions, json!({"name": "first"})).await;
    let second = share_new(&functions, json!({"name": "second"})).await;
    let visitor = Visitor::member(&functions, "mem1");
    let form = [("form", "1"), ("image", first.as_str()), ("reject", second.as_str())];
    let page = visitor.follow(&visitor.submit("shared", &form).await).await;
    page.expect_text("1 image waits").expect_text("first").expect_no_text("second");
    page.expect_text("1 image is rejected");
}

#[tokio::test]
async fn rejected_image_has_its_own_page_and_can_be_accepted() {
    let functions = Functions::start();
    let image = share_new(&functions, json!({"name": "golden"})).await;
    let visitor = Visitor::member(&functions, "mem1");
    visitor.open("shared/rejected").await.expect_text("You have rejected nothing.");
    visitor.submit("shared", &[("form", "1"), ("reject", &image)]).await.expect_status(303);
    visitor.open("shared").await.expect_no_text("golden").expect_text("Nothing is shared with this project");
    let page = visitor.open("shared/rejected").await;
    page.expect_text("golden");
    let form = [("form", page.field("form")), ("image", &image), ("decision", "accept")];
    let page = visitor.follow(&visitor.submit("shared", &form).await).await;
    page.expect_text("Accepted images").expect_text("golden");
    visitor.open("shared/rejected").await.expect_no_text("golden");
}

#[tokio::test]
async fn received_image_links_to_its_page_in_every_status() {
    let functions = Functions::start();
    let image = share_new(&functions, json!({"name": "golden"})).await;
    let visitor = Visitor::member(&functions, "mem1");
    let link = format!("<a href=\"/console/images/{image}\"><bdi>golden</bdi></a> <code>{image}</code>");
    for (decision, list) in [("", "shared"), ("accept", "shared"), ("reject", "shared/rejected")] {
        if !decision.is_empty() {
            visitor.submit("shared", &[("form", decision), (decision, &image)]).await.expect_status(303);
        }
        visitor.open(list).await.expect_text(&link);
        visitor.open(&format!("images/{image}")).await.expect_status(200);
    }
}

#[tokio::test]
async fn rejection_that_frees_a_vault_is_asked_for() {
    let functions = Functions::start();
    let image = share_new(&functions, full_ecs("server", 40)).await;
    let visitor = Visitor::member(&functions, "mem1");
    create_vault(&visitor, "main", "100").await;
    accept_into_vault(&visitor, &image, "main").await;
    visitor.open("shared").await.expect_text("<code>main</code>");
    let asked = visitor.submit("shared", &[("form", "2"), ("reject", &image)]).await;
    assert_eq!(asked.location(), format!("/console/shared/reject?image={image}"));
    let page = visitor.follow(&asked).await;
    page.expect_text("40 GiB in vault main become free.");
    let form = [("form", page.field("form")), ("image", page.field("image"))];
    let page = visitor.follow(&visitor.submit("shared/reject", &form).await).await;
    page.expect_text("1 image is rejected");
    visitor.open("vaults").await.expect_text("0 of 100 GiB");
    visitor
        .open(&format!("shared/reject?image={image}"))
        .await
        .expect_text("None of these images is accepted.");
}

#[tokio::test]
async fn each_list_has_its_own_pages() {
    let functions = Functions::start();
    for number in 0..26 {
        share_new(&functions, json!({"name": format!("w-{number:02}")})).await;
    }
    let visitor = Visitor::member(&functions, "mem1");
    let first = visitor.open("shared").await;
    first.expect_text("26 images wait for your answer").expect_text("w-25").expect_no_text("w-00");
    let next = next_page(first.html());
    let second = visitor.open(&format!("shared{next}")).await;
    second.expect_text("26 images wait").expect_text("w-00").expect_no_text("w-25").expect_text("First page");
    let altered = visitor.open("shared?pending=i-1~5~x").await;
    altered.expect_status(200).expect_text("w-25");
}

/// The query of the first link to a next page.
fn next_page(html: &str) -> &str {
    let (before, _) = html.split_once("\">Next page").expect("a next page");
    before.rsplit('"').next().unwrap_or_default()
}

#[tokio::test]
async fn owner_is_named_and_its_id_stands_beside() {
    let functions = Functions::start();
    share_new(&functions, json!({"name": "golden"})).await;
    let entry = json!({"account": "Acme", "project": "<b>shop"});
    let put = imageshare_tests::events::HttpEvent::new("PUT /v1/tenants/{project_id}", "/v1/tenants/own1")
        .token(&imageshare_tests::deployment::Deployment::token("ops", "admin"))
        .json(&entry);
    functions.send(&put).await.expect_status(200);
    let page = Visitor::member(&functions, "mem1").open("shared").await;
    page.expect_text("<bdi>Acme</bdi> / <bdi>&#60;b&#62;shop</bdi> <code>own1</code>");
}

#[tokio::test]
async fn key_of_an_encrypted_image_is_granted_or_withdrawn() {
    let functions = Functions::start();
    let (route, grant) = ("/v1/keys/{key_id}/grants/{project_id}", "/v1/keys/k-1/grants/mem1");
    functions.send_without_body("own1", &format!("PUT {route}"), grant).await.expect_status(200);
    share_new(&functions, json!({"name": "sealed", "__system__cmkid": "k-1"})).await;
    let visitor = Visitor::member(&functions, "mem1");
    visitor.open("shared").await.expect_text(">Granted<");
    functions.send_without_body("own1", &format!("DELETE {route}"), grant).await.expect_status(200);
    visitor.open("shared").await.expect_text("Not granted any more");
}

#[tokio::test]
async fn reader_sees_no_buttons_and_decides_nothing() {
    let functions = Functions::start();
    let image = share_new(&functions, full_ecs("server", 40)).await;
    let reader = Visitor::with_role(&functions, "mem1", "reader");
    let pages = ["shared", "shared/rejected", &format!("shared/accept?image={image}"), "shared/accept?all=1"];
    for page in pages {
        let page = reader.open(page).await;
        page.expect_status(200);
        let buttons: Vec<_> = page.html().split("<button").skip(1).collect();
        assert_eq!(buttons.len(), 1, "the only button signs out: {buttons:?}");
        page.expect_no_text("Accept All").expect_no_text("type=\"checkbox\"");
    }
    for (page, field) in [("shared", "accept"), ("shared", "reject")] {
        reader.submit(page, &[("form", "1"), (field, &image)]).await.expect_status(403);
    }
    for page in ["shared/accept", "shared/reject"] {
        reader.submit(page, &[("form", "1"), ("image", &image)]).await.expect_status(403);
    }
    reader.submit("shared/accept", &[("form", "1"), ("all", "1")]).await.expect_status(403);
    Visitor::member(&functions, "mem1").open("shared").await.expect_text("1 image waits");
}

#[tokio::test]
async fn image_of_others_and_none_look_the_same() {
    let functions = Functions::start();
    let image = share_new(&functions, full_ecs("server", 40)).await;
    let stranger = Visitor::member(&functions, "str1");
    for page in ["shared/accept", "shared/reject"] {
        let of_others = stranger.open(&format!("{page}?image={image}")).await;
        let missing = stranger.open(&format!("{page}?image={}", "0".repeat(image.len()))).await;
        assert_eq!(
            of_others.html().replace(&image, ""),
            missing.html().replace(&"0".repeat(image.len()), "")
        );
        of_others.expect_no_text("server");
    }
    let mut failed = Vec::new();
    for (key, image) in [("1", image.as_str()), ("2", "missing")] {
        let decided = stranger.submit("shared", &[("form", key), ("accept", image)]).await;
        let page = stranger.follow(&decided).await;
        let (_, notice) = page.html().split_once("<div role=\"status\">").expect("a notice");
        let (notice, _) = notice.split_once("<a ").expect("its link");
        failed.push(notice.to_owned());
    }
    assert_eq!(failed[0], failed[1]);
    assert!(failed[0].contains("1 has failed"), "{failed:?}");
}

#[tokio::test]
async fn form_sent_twice_is_one_job_and_another_choice_another() {
    let functions = Functions::start();
    let image = share_new(&functions, json!({"name": "golden"})).await;
    let visitor = Visitor::member(&functions, "mem1");
    let accept = [("form", "k"), ("image", &image), ("decision", "accept")];
    let first = visitor.submit("shared", &accept).await;
    assert_eq!(visitor.submit("shared", &accept).await.location(), first.location());
    let reject = [("form", "k"), ("image", &image), ("decision", "reject")];
    let second = visitor.submit("shared", &reject).await;
    second.expect_status(303);
    assert_ne!(second.location(), first.location());
}

#[tokio::test]
async fn hostile_names_are_shown_as_text() {
    let functions = Functions::start();
    let names = [
        "<script>alert(1)</script>",
        "\" onfocus=\"x",
        "javascript:alert(1)",
        &"🐙".repeat(255),
        "\u{202e}txt",
    ];
    let mut images = Vec::new();
    for name in names {
        images.push(share_new(&functions, json!({"name": name})).await);
    }
    let visitor = Visitor::member(&functions, "mem1");
    let accept = images.iter().map(|image| format!("image={image}")).collect::<Vec<_>>().join("&");
    for page in ["shared", &format!("shared/accept?{accept}")] {
        let page = visitor.open(page).await;
        page.expect_status(200).expect_no_text("<script>alert").expect_no_text("\" onfocus");
        page.expect_no_text("href=\"javascript").expect_text("<bdi>javascript:alert(1)</bdi>");
        page.expect_text("<bdi>\u{202e}txt</bdi>");
    }
}
