//! *Key Grants*.

use imageshare_tests::in_process::Functions;
use imageshare_tests::visitor::Visitor;
use serde_json::json;

use super::world::enter;

#[tokio::test]
async fn key_of_an_image_is_granted_and_withdrawn() {
    let functions = Functions::start();
    enter(&functions, "bolt", ("Bolt", "main"), "local").await;
    let image = functions.create_image("own1", &json!({"name": "secret", "__system__cmkid": "key-1"})).await;
    let owner = Visitor::member(&functions, "own1");
    owner.open("key-grants").await.expect_text("href=\"?key=key-1\"");
    let page = owner.open("key-grants?key=key-1").await;
    page.expect_status(200).expect_text("No project may use this key yet.");
    for naming in [("account", "Bolt"), ("ids", "mem1, mem2")] {
        let granted = owner.submit("key-grants", &[("key", "key-1"), naming]).await;
        assert_eq!(granted.location(), "/console/key-grants?key=key%2D1&done=saved");
    }
    let page = owner.open("key-grants?key=key-1").await;
    page.expect_no_text("<bdi>Bolt</bdi>");
    page.expect_text("<code>bolt</code>").expect_text("<code>mem1</code>").expect_text("<code>mem2</code>");
    functions.share("own1", &[&image], &["mem1"]).await;
    let ask = owner.open("key-grants/withdraw?key=key-1&tenant=mem1").await;
    ask.expect_status(200).expect_text("1 membership relies on the grant.").expect_text("secret");
    let grant = [("key", ask.fields("key").concat()), ("tenant", ask.fields("tenant").concat())];
    let grant = grant.each_ref().map(|(name, value)| (*name, value.as_str()));
    owner.submit("key-grants/withdraw", &grant).await.expect_status(303);
    owner.submit("key-grants/withdraw", &grant).await.expect_status(303);
    owner.open("key-grants?key=key-1").await.expect_no_text("<code>mem1</code>");
    owner.open(&format!("images/{image}")).await.expect_text("<code>mem1</code>");
}

#[tokio::test]
async fn wrong_grant_grants_nothing() {
    let functions = Functions::start();
    let owner = Visitor::member(&functions, "own1");
    owner.open("key-grants?key=a/b").await.expect_status(400).expect_text("A key ID has 1 to 64");
    for (naming, message) in [
        (("ids", "mem1, own1"), "own1 is your own project"),
        (("account", "Nobody"), "There is no account Nobody"),
        (("ids", ""), "Enter an account name"),
    ] {
        let answer = owner.submit("key-grants", &[("key", "key-1"), naming]).await;
        answer.expect_status(400).expect_text(message);
    }
    owner.open("key-grants?key=key-1").await.expect_text("No project may use this key yet.");
    owner.open("key-grants/withdraw?key=key-1&tenant=mem1").await.expect_status(404);
}

#[tokio::test]
async fn grants_of_a_key_are_paged() {
    let functions = Functions::start();
    let owner = Visitor::member(&functions, "own1");
    let ids: Vec<_> = (0..30).map(|number| format!("p-{number:02}")).collect();
    owner.submit("key-grants", &[("key", "k"), ("ids", &ids.join(" "))]).await.expect_status(303);
    let first = owner.open("key-grants?key=k").await;
    first.expect_text("<code>p-24</code>").expect_no_text("<code>p-25</code>");
    let next = first.link("Next page").expect("a next page");
    let second = owner.open(&format!("key-grants{next}")).await;
    second.expect_text("<code>p-29</code>").expect_no_text("<code>p-24</code>");
}

#[tokio::test]
async fn reader_grants_no_key() {
    let functions = Functions::start();
    let owner = Visitor::member(&functions, "own1");
    owner.submit("key-grants", &[("key", "k"), ("ids", "mem1")]).await.expect_status(303);
    let reader = Visitor::with_role(&functions, "own1", "reader");
    reader.open("key-grants?key=k").await.expect_text("<code>mem1</code>").expect_no_text("Withdraw</a>");
    reader.submit("key-grants", &[("key", "k"), ("ids", "mem2")]).await.expect_status(403);
    reader.submit("key-grants/withdraw", &[("key", "k"), ("tenant", "mem1")]).await.expect_status(403);
    let stranger = Visitor::member(&functions, "own2");
    stranger.open("key-grants?key=k").await.expect_status(200).expect_no_text("mem1");
    stranger.open("key-grants/withdraw?key=k&tenant=mem1").await.expect_status(404);
}
