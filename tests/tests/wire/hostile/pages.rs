//! The pages of the console: every page, every form, every field.

use imageshare::domain::Role;
use imageshare_tests::api::{ApiRequest, ApiResponse};
use imageshare_tests::console_pages::ConsolePages;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::world::{Failures, World};

/// Forms that each page gets, with values at random for all fields.
const FORMS_PER_PAGE: usize = 40;

/// What hostile people write into fields.
const ODD_VALUES: [&str; 22] = [
    "",
    " ",
    "\0",
    "a#b",
    "../x",
    "<script>alert(1)</script>",
    "\"'><img src=x>",
    "\u{202e}exe",
    "🐙",
    "-1",
    "0",
    "99999999999999999999",
    "1e9",
    "true",
    "on",
    "{\"a\":",
    "[[[[",
    "javascript:alert(1)",
    "//evil.example",
    "%00",
    "a\r\nSet-Cookie: x=y",
    "2026-13-45T99:00:00Z",
];

impl World {
    /// A request for a page, with the session of the owner, as a browser sends it.
    fn page(&self, method: &str, path: &str) -> ApiRequest {
        let request = ApiRequest::new(method, format!("/console/{path}"));
        request.header("Cookie", format!("imageshare={}", self.token))
    }

    /// A form, with the session of the owner, sent from a page of the console.
    fn form(&self, path: &str, body: impl Into<Vec<u8>>) -> ApiRequest {
        let request = self.page("POST", path).header("Sec-Fetch-Site", "same-origin");
        request.typed_body("application/x-www-form-urlencoded", body)
    }

    async fn visit(&self, request: &ApiRequest) -> ApiResponse {
        let response = self.api.send(request).await;
        Self::assert_no_leak(&response.body.to_string());
        response
    }

    /// A value of a parameter of a page's path.
    fn page_parameter(&self, name: &str) -> String {
        if name.contains("job") { "019abc0e4f1c7d3e9b5a6c7d8e9f0a1b".to_owned() } else { self.image.clone() }
    }
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn choose<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let place = usize::try_from(self.0 >> 33).unwrap() % from.len();
        &from[place]
    }
}

#[tokio::test]
async fn hostile_query_causes_no_server_error_on_any_page() {
    let world = World::start().await;
    let console = ConsolePages::load();
    let before = world.api.dump_when_idle().await;
    let mut faults = Failures::default();
    let mut queries: Vec<String> = ODD_VALUES
        .iter()
        .map(|odd| {
            let pairs = console.fields.iter().map(|field| format!("{field}={}", encode(odd)));
            pairs.collect::<Vec<_>>().join("&")
        })
        .collect();
    queries.extend(["&&&", "=", "%", "%zz=1", "a=b=c", "?", "%00=%00", "marker=%FF"].map(str::to_owned));
    for page in console.opened(|name| world.page_parameter(name)) {
        for query in &queries {
            let request = world.page("GET", &format!("{page}?{query}"));
            faults.expect_no_server_error(&request, &world.visit(&request).await);
        }
    }
    assert_eq!(world.api.dump_when_idle().await, before, "a page that was only opened has written something");
    faults.assert_none();
}

#[tokio::test]
async fn hostile_form_causes_no_server_error() {
    let world = World::start().await;
    let console = ConsolePages::load();
    let mut faults = Failures::default();
    let mut values: Vec<&str> = ODD_VALUES.to_vec();
    values.extend(console.values.iter().map(String::as_str));
    values.extend([&*world.image, &*world.secret_image, "own1", "other", "mem1", "v-1"].repeat(3));
    let mut dice = Dice(1);
    for page in console.sent(|name| world.page_parameter(name)) {
        if page == "sign-out" {
            continue;
        }
        for _ in 0..FORMS_PER_PAGE {
            let mut pairs = Vec::new();
            for field in &console.fields {
                if *dice.choose(&[true, true, false]) {
                    let value: &&str = dice.choose(&values);
                    pairs.push(format!("{field}={}", encode(value)));
                }
            }
            let request = world.form(&page, pairs.join("&"));
            faults.expect_no_server_error(&request, &world.visit(&request).await);
        }
        for malformed in [&b"\xff"[..], b"a=%FF", b"%C0%AF=a"] {
            let request = world.form(&page, malformed);
            world.visit(&request).await.expect_status(400);
        }
        for odd in [&b"{\"a\":1}"[..], b"&&&&", b"=", b"image=&image=&image="] {
            let request = world.form(&page, odd);
            faults.expect_no_server_error(&request, &world.visit(&request).await);
        }
    }
    faults.assert_none();
}

#[tokio::test]
async fn unknown_page_is_a_page_that_says_so() {
    let world = World::start().await;
    let long = "x".repeat(3_000);
    for path in [
        "nowhere",
        "images/a/b/c/d/e",
        "..",
        "%2e%2e",
        "%00",
        "%FF",
        "images%00",
        "IMAGES",
        "assets/x.js",
        &long,
    ] {
        for request in [world.page("GET", path), world.form(path, "a=b")] {
            let response = world.visit(&request).await;
            response.expect_status(404);
            assert!(response.body.as_str().unwrap().contains("<h1"), "{response:?}");
        }
    }
    Failures::default().assert_none();
}

#[tokio::test]
async fn form_of_another_origin_is_refused_on_every_page() {
    let world = World::start().await;
    let console = ConsolePages::load();
    let before = world.api.dump_when_idle().await;
    for page in console.sent(|name| world.page_parameter(name)) {
        for headers in [
            &[("Sec-Fetch-Site", "cross-site")][..],
            &[("Sec-Fetch-Site", "same-site"), ("Origin", "http://images.example:81")],
            &[("Sec-Fetch-Site", "none")],
            &[("Origin", "http://evil.example")],
            &[("Origin", "null")],
            &[],
        ] {
            let body = format!("image={}&decision=accept", world.image);
            let form = world.page("POST", &page).typed_body("application/x-www-form-urlencoded", body);
            let form = headers.iter().fold(form, |form, (name, value)| form.header(name, value));
            world.visit(&form).await.expect_status(403);
        }
    }
    assert_eq!(world.api.dump_when_idle().await, before, "something was written");
    Failures::default().assert_none();
}

#[tokio::test]
async fn invalid_session_leads_every_page_to_sign_in() {
    let world = World::start().await;
    let console = ConsolePages::load();
    let before = world.api.dump_when_idle().await;
    let other_server = imageshare_tests::api::Api::start(&[]).await.token("own1", Role::Admin);
    let expired = imageshare::domain::Timestamp::from_unix_millis(1_000_000_000_000);
    let cookies = [
        String::new(),
        "imageshare=".to_owned(),
        "imageshare=x".to_owned(),
        format!("imageshare={}x", world.token),
        format!("imageshare={other_server}"),
        format!("imageshare={}", world.api.token_expiring_at("own1", expired)),
        format!("other={}", world.token),
    ];
    let opened = console.opened(|name| world.page_parameter(name)).into_iter().map(|page| ("GET", page));
    let sent = console.sent(|name| world.page_parameter(name)).into_iter().map(|page| ("POST", page));
    for (method, page) in opened.chain(sent).filter(|(_, page)| !page.starts_with("sign-")) {
        for cookie in &cookies {
            let request = ApiRequest::new(method, format!("/console/{page}").trim_end_matches('/'));
            let request = request.header("Cookie", cookie).header("Sec-Fetch-Site", "same-origin");
            let response = world.visit(&request).await;
            response.expect_status(303);
            let location = &response.headers["location"];
            assert!(location.starts_with("/console/sign-in") || page.is_empty(), "{request:?} {location}");
        }
        // A token in a header is for programs: it opens no page.
        let path = format!("/console/{page}");
        let program = ApiRequest::new(method, path.trim_end_matches('/')).token(&world.token);
        world.visit(&program.header("Sec-Fetch-Site", "same-origin")).await.expect_status(303);
    }
    assert_eq!(world.api.dump_when_idle().await, before, "something was written");
    Failures::default().assert_none();
}

#[tokio::test]
async fn size_of_a_form_depends_on_the_session() {
    let world = World::start().await;
    let form = |bytes: usize| world.form("shared", format!("a={}", "x".repeat(bytes - 2)));
    assert_ne!(world.visit(&form(65_536)).await.status, 413);
    world.visit(&form(65_537)).await.expect_status(413);
    let sign_in = |bytes: usize| {
        let request = ApiRequest::new("POST", "/console/sign-in").header("Sec-Fetch-Site", "same-origin");
        request.typed_body("application/x-www-form-urlencoded", format!("secret={}", "x".repeat(bytes - 7)))
    };
    assert_ne!(world.visit(&sign_in(16_384)).await.status, 413);
    world.visit(&sign_in(16_385)).await.expect_status(413);
    Failures::default().assert_none();
}

#[tokio::test]
async fn refusal_of_the_gateway_is_a_page_for_a_browser() {
    let world = World::start().await;
    let large = world.form("shared", "x".repeat(65_537));
    let long = world.page("GET", "images").header("Cookie", "x".repeat(11_000));
    for (request, status) in [(large, 413), (long, 431)] {
        let json = world.visit(&request).await;
        json.expect_status(status);
        assert!(json.body["error"]["code"].is_string(), "{json:?}");
        let page = world.visit(&request.header("Accept", "text/html,*/*;q=0.8")).await;
        page.expect_status(status);
        let html = page.body.as_str().unwrap();
        let (id, policy) = (&page.headers["x-request-id"], &page.headers["content-security-policy"]);
        assert!(html.contains("<h1>") && html.contains(&**id), "{html}");
        assert!(policy.contains("default-src 'none'"), "{policy}");
    }
    Failures::default().assert_none();
}
