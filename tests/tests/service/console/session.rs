//! The cookie of a session, its renewal and its end, and what protects the forms.

use std::time::Duration;

use imageshare::auth::{Keyring, MasterKeys};
use imageshare::domain::{Caller, Role, Timestamp};
use imageshare_tests::deployment::{Deployment, master_keys};
use imageshare_tests::events::HttpEvent;
use imageshare_tests::in_process::Functions;
use imageshare_tests::visitor::{Page, Visitor};
use serde_json::json;

/// Opens a page with a cookie, over https or http.
async fn open_over(functions: &Functions, scheme: &str, cookie: &str) -> Page {
    let event = HttpEvent::new("GET /console/{page+}", "/console/images").header("cookie", cookie);
    Visitor::stranger(functions).send(&event.header("x-forwarded-proto", scheme)).await
}

async fn open_with(functions: &Functions, cookie: &str) -> Page {
    open_over(functions, "https", cookie).await
}

async fn sign_out(functions: &Functions, cookie: &str) {
    let event = Visitor::form("sign-out", &[]).header("sec-fetch-site", "same-origin");
    Visitor::stranger(functions).send(&event.header("cookie", cookie)).await.expect_status(303);
}

/// The cookie that a page sets, as a browser sends it.
fn set_cookie(page: &Page) -> String {
    let cookie = page.response().headers.get("set-cookie").map(String::as_str).unwrap_or_default();
    cookie.split(';').next().unwrap_or_default().to_owned()
}

/// The cookies of two sessions, of a link and of an access key, that are old enough to be renewed.
async fn old_sessions(functions: &Functions) -> [String; 2] {
    let keyring = Keyring::new(MasterKeys::parse(&master_keys()).unwrap());
    let now = Timestamp::now();
    let then = now.minus(Duration::from_mins(25));
    let tenant = "own1".parse().unwrap();
    let caller = Caller { tenant, account: None, user: None, access_key: None, role: Role::Member };
    let session = keyring.issue_session(&caller, now.plus(Duration::from_hours(5)), then).unwrap();
    let body = json!({"name": "console"});
    let key = functions.send_json("own1", "POST /v1/access-keys", "/v1/access-keys", &body).await;
    let id = key.body["id"].as_str().unwrap().parse().unwrap();
    let key = functions.local.service.store.access_key(&id).await.unwrap().unwrap();
    let issued = keyring.issue_token(&key, then).unwrap();
    [session, issued].map(|issued| format!("__Host-imageshare={}", issued.token))
}

#[tokio::test]
async fn session_is_bound_to_the_scheme_of_its_cookie() {
    let functions = Functions::start();
    let token = Deployment::token("own1", "member");
    let [bound, plain] = ["__Host-imageshare", "imageshare"].map(|name| format!("{name}={token}"));
    for (scheme, cookie, status) in
        [("https", &bound, 200), ("https", &plain, 303), ("http", &bound, 303), ("http", &plain, 200)]
    {
        open_over(&functions, scheme, cookie).await.expect_status(status);
    }
    let foreign = format!("imageshare={}; {bound}", Deployment::token("mem1", "member"));
    open_with(&functions, &foreign).await.expect_status(200).expect_text("own1");
}

#[tokio::test]
async fn session_in_use_is_renewed() {
    let functions = Functions::start();
    for old in old_sessions(&functions).await {
        let page = open_with(&functions, &old).await;
        let renewed = set_cookie(page.expect_status(200));
        assert!(renewed.starts_with("__Host-imageshare=") && renewed != old, "{renewed}");
        let page = open_with(&functions, &renewed).await;
        assert_eq!(set_cookie(page.expect_status(200)), "", "renewed again at once");
    }
}

#[tokio::test]
async fn sign_out_ends_each_token_of_its_session() {
    for leave_with_old in [true, false] {
        let functions = Functions::start();
        for old in old_sessions(&functions).await {
            // The answer that renews the cookie may reach the browser after that of the sign-out.
            let renewed = set_cookie(&open_with(&functions, &old).await);
            let other = set_cookie(&open_with(&functions, &old).await);
            sign_out(&functions, if leave_with_old { &old } else { &renewed }).await;
            for cookie in [old, renewed, other] {
                let page = open_with(&functions, &cookie).await;
                page.expect_status(303);
                assert!(page.location().starts_with("/console/sign-in"), "{}", page.location());
            }
        }
    }
}

#[tokio::test]
async fn sign_out_leaves_other_sessions_as_they_are() {
    let functions = Functions::start();
    let [one, other] = old_sessions(&functions).await;
    let renewed = set_cookie(&open_with(&functions, &other).await);
    sign_out(&functions, &one).await;
    for cookie in [other, renewed] {
        open_with(&functions, &cookie).await.expect_status(200);
    }
}

#[tokio::test]
async fn stranger_is_led_to_sign_in_and_back() {
    let functions = Functions::start();
    let page = Visitor::stranger(&functions).open("images?marker=x").await;
    page.expect_status(303);
    assert_eq!(page.location(), "/console/sign-in?next=%2Fconsole%2Fimages%3Fmarker%3Dx");
    let sign_in = Visitor::stranger(&functions).open("sign-in?next=%2Fconsole%2Fimages").await;
    sign_in.expect_status(200).expect_text("Access key ID");
    assert_eq!(sign_in.field("next"), "/console/images");
}

#[tokio::test]
async fn form_of_another_origin_is_refused() {
    let functions = Functions::start();
    let visitor = Visitor::member(&functions, "mem1");
    let form = Visitor::form("shared", &[("decision", "accept"), ("image", "i-1")]);
    for headers in [&[("sec-fetch-site", "same-site")][..], &[("origin", "http://evil.example")], &[]] {
        let event = headers.iter().fold(form.clone(), |event, (name, value)| event.header(name, value));
        visitor.send(&event).await.expect_status(403);
    }
}
