//! The console of a deployment: what a person does with its pages, without a script.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, COOKIE, HeaderName, LOCATION, SET_COOKIE,
};
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, Response, StatusCode};
use tokio::time::{Instant, sleep};

use super::client::{Client, JOB_TIMEOUT, token};

/// A browser at a deployment: it sends forms as its origin's, and keeps the cookie of the session.
struct Browser {
    url: String,
    http: reqwest::Client,
    cookie: String,
}

/// An owner shares an image by the pages, and its recipient accepts it. Forms of other sites are refused, and a session ends when
/// its visitor signs out.
pub(crate) async fn pages_share_accept_and_end_their_session(url: &str) {
    let image = Client::new(url, "page-owner").register_image().await;
    let stranger = Browser::new(url);
    let root = stranger.get("/").await;
    assert_eq!(header(&root, LOCATION), "/console");
    let asked = stranger.get("/console/shared?x=1").await;
    assert_eq!(header(&asked, LOCATION), "/console/sign-in?next=%2Fconsole%2Fshared%3Fx%3D1");

    let packed = stranger.http.get(format!("{url}/console/sign-in")).header(ACCEPT_ENCODING, "gzip");
    let packed = packed.send().await.unwrap();
    assert_eq!(header(&packed, CONTENT_ENCODING), "gzip");
    assert!(packed.bytes().await.unwrap().starts_with(&[0x1f, 0x8b]), "no gzip");

    let owner = Browser::signed_in(url, "page-owner").await;
    let page = owner.open(&format!("/console/share-images?image={image}")).await;
    assert!(page.contains("Share Image"), "{page}");
    let form = [("form", "page-1"), ("image", &image), ("recipient", "page-recipient"), ("do", "share")];
    owner.submit_and_wait("/console/share-images", &form, "1 share is made").await;

    let recipient = Browser::signed_in(url, "page-recipient").await;
    let inbox = recipient.open("/console/shared").await;
    assert!(inbox.contains("1 image waits for your answer") && inbox.contains(&image), "{inbox}");
    let form = [("form", "page-2"), ("accept", image.as_str())];
    recipient.submit_and_wait("/console/shared", &form, "1 image is accepted").await;
    let members = owner.open(&format!("/console/images/{image}")).await;
    assert!(members.contains("page-recipient") && members.contains("Accepted"), "{members}");

    let foreign = recipient.form("/console/sign-out", &[]).header("sec-fetch-site", "cross-site");
    assert_eq!(foreign.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    let signed_out = recipient.submit("/console/sign-out", &[]).await;
    assert!(header(&signed_out, SET_COOKIE).contains("Max-Age=0"), "{signed_out:?}");
    recipient.wait_until_refused().await;
}

impl Browser {
    fn new(url: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        Self { url: url.to_owned(), http, cookie: String::new() }
    }

    /// A browser that has signed in with a token.
    async fn signed_in(url: &str, project: &str) -> Self {
        let mut browser = Self::new(url);
        let signed_in =
            browser.submit("/console/sign-in/token", &[("token", &token(project, "member"))]).await;
        assert_eq!(signed_in.status(), StatusCode::SEE_OTHER, "{signed_in:?}");
        header(&signed_in, SET_COOKIE).split(';').next().unwrap_or_default().clone_into(&mut browser.cookie);
        browser
    }

    fn with_cookie(&self, request: RequestBuilder) -> RequestBuilder {
        let request = request.header("accept", "text/html");
        if self.cookie.is_empty() { request } else { request.header(COOKIE, &self.cookie) }
    }

    async fn get(&self, page: &str) -> Response {
        self.with_cookie(self.http.get(format!("{}{page}", self.url))).send().await.unwrap()
    }

    /// The HTML of a page.
    async fn open(&self, page: &str) -> String {
        let response = self.get(page).await;
        let status = response.status();
        let html = response.text().await.unwrap();
        assert_eq!(status, StatusCode::OK, "{page}: {html}");
        html
    }

    /// A form, without what a browser says of its origin.
    fn form(&self, page: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let pairs = fields.iter().map(|(name, value)| format!("{name}={}", encode(value)));
        let request = self.http.post(format!("{}{page}", self.url));
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.with_cookie(request).body(pairs.collect::<Vec<_>>().join("&"))
    }

    async fn submit(&self, page: &str, fields: &[(&str, &str)]) -> Response {
        self.form(page, fields).header("sec-fetch-site", "same-origin").send().await.unwrap()
    }

    /// Sends a form that makes a job, and opens the page that it leads to until that tells the result.
    async fn submit_and_wait(&self, page: &str, fields: &[(&str, &str)], result: &str) {
        let answer = self.submit(page, fields).await;
        let next = header(&answer, LOCATION);
        assert!(next.contains("?job="), "{answer:?}");
        let end = Instant::now() + JOB_TIMEOUT;
        loop {
            let html = self.open(&next).await;
            if html.contains(result) {
                return;
            }
            assert!(Instant::now() < end, "{result:?} is not told after {JOB_TIMEOUT:?}: {html}");
            sleep(Duration::from_secs(1)).await;
        }
    }

    /// Waits until the session is over for every function that may have cached its token.
    async fn wait_until_refused(&self) {
        let end = Instant::now() + JOB_TIMEOUT;
        while self.get("/console/shared").await.status() == StatusCode::OK {
            assert!(Instant::now() < end, "the session still holds");
            sleep(Duration::from_secs(1)).await;
        }
    }
}

/// A header of a response; empty without.
fn header(response: &Response, name: HeaderName) -> String {
    let value = response.headers().get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}
