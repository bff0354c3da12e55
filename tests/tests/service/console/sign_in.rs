//! The ways to sign in: an access key, a link of `imageshare console`, a token. And signing out.

use std::time::Duration;

use imageshare::auth::MasterKeys;
use imageshare::domain::{Caller, Role, Timestamp};
use imageshare_tests::deployment::{Deployment, master_keys};
use imageshare_tests::events::HttpEvent;
use imageshare_tests::in_process::Functions;
use imageshare_tests::visitor::{Page, Visitor};
use serde_json::json;

fn caller(role: Role) -> Caller {
    let tenant = "own1".parse().unwrap();
    Caller { tenant, account: None, user: Some("ann".to_owned()), access_key: None, role }
}

/// The token of a link, made at that moment.
fn link_token(role: Role, now: Timestamp) -> String {
    MasterKeys::parse(&master_keys()).unwrap().issue_link(&caller(role), now).unwrap().token
}

/// The session's cookie that a page sets, as a request sends it.
fn cookie(page: &Page) -> String {
    let cookie = &page.response().headers["set-cookie"];
    assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
    cookie.split(';').next().unwrap().to_owned()
}

/// Opens a page with a cookie.
async fn open_with(functions: &Functions, cookie: &str, page: &str) -> Page {
    let event = HttpEvent::new("GET /console/{page+}", &format!("/console/{page}"));
    Visitor::stranger(functions).send(&event.header("cookie", cookie)).await
}

#[tokio::test]
async fn link_signs_in_once_and_only_by_its_button() {
    let functions = Functions::start();
    let visitor = Visitor::stranger(&functions);
    let token = link_token(Role::Reader, Timestamp::now());
    for _ in 0..2 {
        let page = visitor.open(&format!("sign-in/link?link={token}")).await;
        page.expect_status(200).expect_text("Sign in as own1");
        assert!(!page.response().headers.contains_key("set-cookie"));
        assert_eq!(page.field("link"), token);
    }
    let signed_in = visitor.submit("sign-in/link", &[("link", &token)]).await;
    signed_in.expect_status(303);
    assert_eq!(signed_in.location(), "/console");
    let page = open_with(&functions, &cookie(&signed_in), "images").await;
    page.expect_status(200).expect_text("own1").expect_no_text(&token);
    let again = visitor.submit("sign-in/link", &[("link", &token)]).await;
    again.expect_status(401).expect_text("has been used");
    assert!(!again.response().headers.contains_key("set-cookie"));
}

#[tokio::test]
async fn link_is_no_session_and_no_token_of_an_api() {
    let functions = Functions::start();
    let token = link_token(Role::Admin, Timestamp::now());
    let page = open_with(&functions, &format!("__Host-imageshare={token}"), "images").await;
    page.expect_status(303);
    let event = HttpEvent::new("GET /v2/images", "/v2/images").token(&token);
    functions.send(&event).await.expect_status(401);
}

#[tokio::test]
async fn link_is_good_for_a_minute() {
    let functions = Functions::start();
    let visitor = Visitor::stranger(&functions);
    let old = link_token(Role::Member, Timestamp::now().minus(Duration::from_secs(61)));
    for link in [&*old, "", "x", "a.b.c"] {
        visitor.open(&format!("sign-in/link?link={link}")).await.expect_status(401);
        visitor.submit("sign-in/link", &[("link", link)]).await.expect_status(401);
    }
}

#[tokio::test]
async fn pasted_token_begins_a_session_of_the_console_only() {
    let functions = Functions::start();
    let visitor = Visitor::stranger(&functions);
    visitor.open("sign-in/token?next=%2Fconsole%2Fshared").await.expect_text("value=\"/console/shared\"");
    let token = Deployment::token("own1", "reader");
    let fields = [("token", token.as_str()), ("next", "/console/shared")];
    let signed_in = visitor.submit("sign-in/token", &fields).await;
    signed_in.expect_status(303);
    assert_eq!(signed_in.location(), "/console/shared");
    let cookie = cookie(&signed_in);
    assert!(!cookie.contains(&token), "the session has a token of its own");
    open_with(&functions, &cookie, "shared").await.expect_status(200).expect_text("own1");
    let session = cookie.split_once('=').unwrap().1;
    functions.send(&HttpEvent::new("GET /v2/images", "/v2/images").token(session)).await.expect_status(401);
    for wrong in ["", "x", "a.b.c"] {
        let refused = visitor.submit("sign-in/token", &[("token", wrong)]).await;
        refused.expect_status(401).expect_text("not accepted");
    }
}

#[tokio::test]
async fn signing_out_ends_the_session_everywhere() {
    let functions = Functions::start();
    let token = link_token(Role::Member, Timestamp::now());
    let signed_in = Visitor::stranger(&functions).submit("sign-in/link", &[("link", &token)]).await;
    let cookie = cookie(&signed_in);
    open_with(&functions, &cookie, "images").await.expect_status(200);
    let sign_out = Visitor::form("sign-out", &[]).header("sec-fetch-site", "same-origin");
    let signed_out = Visitor::stranger(&functions).send(&sign_out.header("cookie", &cookie)).await;
    signed_out.expect_status(303);
    assert!(signed_out.response().headers["set-cookie"].contains("Max-Age=0"));
    let page = open_with(&functions, &cookie, "images").await;
    page.expect_status(303);
    assert!(page.location().starts_with("/console/sign-in"));
}

#[tokio::test]
async fn session_ends_with_its_access_key() {
    let functions = Functions::start();
    let body = json!({"name": "console"});
    let key = functions.send_json("own1", "POST /v1/access-keys", "/v1/access-keys", &body).await;
    key.expect_status(201);
    let text = |name: &str| key.body[name].as_str().unwrap().to_owned();
    let (id, secret) = (text("id"), text("secret"));
    let fields = [("access_key", id.as_str()), ("secret", secret.as_str())];
    let signed_in = Visitor::stranger(&functions).submit("sign-in", &fields).await;
    signed_in.expect_status(303);
    let cookie = cookie(&signed_in);
    assert!(!cookie.contains(&secret));
    open_with(&functions, &cookie, "images").await.expect_status(200);
    let route = "DELETE /v1/access-keys/{key_id}";
    let disabled = functions.send_without_body("own1", route, &format!("/v1/access-keys/{id}")).await;
    disabled.expect_status(204);
    open_with(&functions, &cookie, "images").await.expect_status(303);
}

#[tokio::test]
async fn unknown_key_and_wrong_secret_are_told_alike() {
    let functions = Functions::start();
    let key =
        functions.send_json("own1", "POST /v1/access-keys", "/v1/access-keys", &json!({"name": "a"})).await;
    let id = key.body["id"].as_str().unwrap();
    let visitor = Visitor::stranger(&functions);
    let wrong = visitor.submit("sign-in", &[("access_key", id), ("secret", "guess")]).await;
    let unknown = visitor.submit("sign-in", &[("access_key", "unknown"), ("secret", "guess")]).await;
    wrong.expect_status(401);
    unknown.expect_status(401);
    assert_eq!(wrong.html().replace(id, "ID"), unknown.html().replace("unknown", "ID"));
    assert!(!wrong.html().contains("guess"));
}

#[tokio::test]
async fn provider_that_does_not_exist_has_no_page() {
    let functions = Functions::start();
    let visitor = Visitor::stranger(&functions);
    visitor.open("sign-in").await.expect_no_text("sign-in/provider");
    visitor.open("sign-in/provider").await.expect_status(404);
    visitor.open("sign-in/callback?code=a&state=b").await.expect_status(401);
}
