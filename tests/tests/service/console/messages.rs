//! *Messages*.

use imageshare_tests::in_process::Functions;
use imageshare_tests::local_service::create_message;
use imageshare_tests::visitor::Visitor;
use serde_json::json;

use super::world::share_new;

#[tokio::test]
async fn share_and_its_answer_are_told_to_the_other_side() {
    let functions = Functions::start();
    let image = share_new(&functions, json!({"name": "<i>golden"})).await;
    functions.local.carry_out_effects().await;
    let visitor = Visitor::member(&functions, "mem1");
    let page = visitor.open("messages").await;
    page.expect_text("&#60;i&#62;golden is shared with you.").expect_text("<code>own1</code>");
    page.expect_text("href=\"/console/shared\">Accept or reject</a>");
    visitor.submit("shared", &[("form", "1"), ("accept", &image)]).await.expect_status(303);
    functions.local.carry_out_effects().await;
    let page = Visitor::member(&functions, "own1").open("messages").await;
    page.expect_text("&#60;i&#62;golden was accepted.").expect_text("<code>mem1</code>");
    page.expect_text("href=\"/console/images\">Show your images</a>");
}

#[tokio::test]
async fn message_links_to_an_image_while_it_is_shared() {
    let functions = Functions::start();
    let image = share_new(&functions, json!({"name": "golden"})).await;
    functions.local.carry_out_effects().await;
    let visitor = Visitor::member(&functions, "mem1");
    let link = format!("<a href=\"/console/images/{image}\"><bdi>golden</bdi></a>");
    visitor.open("messages").await.expect_text(&link);
    visitor.submit("shared", &[("form", "1"), ("accept", &image)]).await.expect_status(303);
    functions.local.carry_out_effects().await;
    let owner = Visitor::member(&functions, "own1");
    owner.open("messages").await.expect_text(&link);
    let form = [("form", "2"), ("tenant", "mem1")];
    owner.submit(&format!("images/{image}/unshare"), &form).await.expect_status(303);
    functions.local.carry_out_effects().await;
    // Neither the message that it was shared nor the later one leads to a page that is gone.
    let page = visitor.open("messages").await;
    page.expect_text("golden is not shared with you any more.").expect_no_text("/console/images/");
    functions.share("own1", &[&image], &["mem1"]).await;
    functions.local.carry_out_effects().await;
    visitor.open("messages").await.expect_text(&link);
}

#[tokio::test]
async fn message_is_marked_as_read_and_as_unread() {
    let functions = Functions::start();
    let store = &functions.local.service.store;
    let (first, second) =
        (create_message(store, "mem1", "own1").await, create_message(store, "mem1", "own2").await);
    let visitor = Visitor::member(&functions, "mem1");
    let page = visitor.open("messages").await;
    page.expect_text("2 unread messages").expect_text("<span class=\"waiting\">2</span>");
    let read = visitor.submit("messages", &[("read", &first.to_string())]).await;
    let page = visitor.follow(&read).await;
    page.expect_text("1 unread message)")
        .expect_text("Mark as unread")
        .expect_text("own1")
        .expect_text("own2");
    let page = visitor.open("messages?unread=1").await;
    page.expect_text("<code>own2</code>").expect_no_text("<code>own1</code>");
    let form = [("only_unread", "1"), ("read", &second.to_string())];
    let read = visitor.submit("messages", &form).await;
    assert_eq!(read.location(), "/console/messages?unread=1");
    visitor.follow(&read).await.expect_text("No unread messages.").expect_no_text("Mark all as read");
    let unread = visitor.submit("messages", &[("unread", &first.to_string())]).await;
    visitor.follow(&unread).await.expect_text("1 unread message)");
}

#[tokio::test]
async fn all_messages_are_marked_as_read_but_not_later_ones() {
    let functions = Functions::start();
    let store = &functions.local.service.store;
    create_message(store, "mem1", "own1").await;
    create_message(store, "mem1", "own2").await;
    let visitor = Visitor::member(&functions, "mem1");
    let page = visitor.open("messages").await;
    let recent: Vec<_> = page
        .html()
        .split("name=\"recent\" value=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert_eq!(recent.len(), 2);
    create_message(store, "mem1", "own3").await;
    let form = [("all", page.field("all")), ("recent", recent[0]), ("recent", recent[1])];
    let read = visitor.submit("messages", &form).await;
    visitor.follow(&read).await.expect_text("1 unread message)");
    visitor
        .open("messages?unread=1")
        .await
        .expect_text("<code>own3</code>")
        .expect_no_text("<code>own1</code>");
}

#[tokio::test]
async fn message_of_another_project_looks_like_none() {
    let functions = Functions::start();
    let message = create_message(&functions.local.service.store, "mem1", "own1").await.to_string();
    let stranger = Visitor::member(&functions, "str1");
    stranger.open("messages").await.expect_text("No messages.");
    stranger.submit("messages", &[("read", &message)]).await.expect_status(404);
    for malformed in [("read", "x"), ("unread", ""), ("all", "x"), ("other", "")] {
        stranger.submit("messages", &[malformed]).await.expect_status(400);
    }
    let reader = Visitor::with_role(&functions, "mem1", "reader");
    reader
        .open("messages")
        .await
        .expect_text("own1")
        .expect_no_text("Mark as read")
        .expect_no_text("Mark all");
    reader.submit("messages", &[("read", &message)]).await.expect_status(403);
    Visitor::member(&functions, "mem1").open("messages").await.expect_text("1 unread message)");
}

#[tokio::test]
async fn messages_are_paged() {
    let functions = Functions::start();
    for number in 0..26 {
        create_message(&functions.local.service.store, "mem1", &format!("own{number}")).await;
    }
    let visitor = Visitor::member(&functions, "mem1");
    for filter in ["", "?unread=1"] {
        let first = visitor.open(&format!("messages{filter}")).await;
        first
            .expect_text("26 unread messages")
            .expect_text("<code>own25</code>")
            .expect_no_text("<code>own0</code>");
        let (before, _) = first.html().split_once("\">Next page").expect("a next page");
        let next = before.rsplit('"').next().unwrap_or_default().replace("&#38;", "&");
        let second = visitor.open(&format!("messages{next}")).await;
        second.expect_text("<code>own0</code>").expect_no_text("<code>own25</code>");
    }
}
