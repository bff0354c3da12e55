//! Someone who uses the console, without a browser: it opens pages and sends their forms, through the functions in the test's own
//! process.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::console_texts::unmarked_words;
use crate::deployment::Deployment;
use crate::events::HttpEvent;
use crate::in_process::Functions;
use crate::response::ApiResponse;

/// A visitor of the console.
pub struct Visitor<'a> {
    functions: &'a Functions,
    cookie: Option<String>,
}

/// A page, or the redirect to one.
pub struct Page(ApiResponse);

impl<'a> Visitor<'a> {
    /// A visitor who has not signed in.
    pub fn stranger(functions: &'a Functions) -> Self {
        Self { functions, cookie: None }
    }

    /// A visitor who is signed in as a member of a project.
    pub fn member(functions: &'a Functions, project: &str) -> Self {
        Self::with_role(functions, project, "member")
    }

    /// A visitor who is signed in with a role in a project.
    pub fn with_role(functions: &'a Functions, project: &str, role: &str) -> Self {
        Self {
            cookie: Some(format!("__Host-imageshare={}", Deployment::token(project, role))),
            ..Self::stranger(functions)
        }
    }

    /// Opens a page below `/console`, such as `images?marker=x`.
    pub async fn open(&self, page: &str) -> Page {
        self.send(&HttpEvent::new("GET /console/{page+}", &format!("/console/{page}"))).await
    }

    /// Sends a form to a page.
    pub async fn submit(&self, page: &str, fields: &[(&str, &str)]) -> Page {
        let event = Self::form(page, fields).header("sec-fetch-site", "same-origin");
        self.send(&event).await
    }

    /// The request that sends a form, without the headers of a browser.
    pub fn form(page: &str, fields: &[(&str, &str)]) -> HttpEvent {
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let pairs: Vec<_> =
            fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        HttpEvent::new("POST /console/{page+}", &format!("/console/{page}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .text(&pairs.join("&"))
    }

    /// Sends a request with the cookie of the session. A page is also rendered with marked texts: none of its words may come
    /// from elsewhere.
    ///
    /// # Panics
    /// If a word is not one of the texts.
    pub async fn send(&self, event: &HttpEvent) -> Page {
        let event = match &self.cookie {
            Some(cookie) => event.clone().header("cookie", cookie),
            None => event.clone(),
        };
        let page = Page(self.functions.send(&event).await);
        let is_html = page.0.headers.get("content-type").is_some_and(|kind| kind.starts_with("text/html"));
        if is_html
            && !page.html().is_empty()
            && let Some(marked) = self.functions.page_with_marked_texts(&event).await
        {
            marked.expect_status(page.0.status);
            let unmarked = unmarked_words(marked.body.as_str().unwrap_or_default());
            assert_eq!(unmarked, Vec::<String>::new(), "no texts of the console: {}", marked.request);
        }
        page
    }

    /// Opens the page that a form has led to, once the work that it has left open is done.
    ///
    /// # Panics
    /// If the page is no redirect.
    pub async fn follow(&self, page: &Page) -> Page {
        self.functions.local.run_open_work().await;
        self.open(page.location().strip_prefix("/console/").expect("a page of the console")).await
    }
}

impl Page {
    /// The response.
    pub fn response(&self) -> &ApiResponse {
        &self.0
    }

    /// The HTML; empty for a redirect.
    pub fn html(&self) -> &str {
        self.0.body.as_str().unwrap_or_default()
    }

    /// Where a redirect leads; empty for a page.
    pub fn location(&self) -> &str {
        self.0.headers.get("location").map(String::as_str).unwrap_or_default()
    }

    /// Asserts the status. Returns the page, for further assertions.
    ///
    /// # Panics
    /// If the status differs.
    #[track_caller]
    pub fn expect_status(&self, status: u16) -> &Self {
        self.0.expect_status(status);
        self
    }

    /// Asserts that the page has a text. Returns the page, for further assertions.
    ///
    /// # Panics
    /// If it has not.
    #[track_caller]
    pub fn expect_text(&self, text: &str) -> &Self {
        assert!(self.html().contains(text), "{text:?} is missing: {:#?}", self.0);
        self
    }

    /// Asserts that the page does not have a text. Returns the page, for further assertions.
    ///
    /// # Panics
    /// If it has.
    #[track_caller]
    pub fn expect_no_text(&self, text: &str) -> &Self {
        assert!(!self.html().contains(text), "{text:?}: {:#?}", self.0);
        self
    }

    /// The value of the first hidden or other field with a name in the page's forms; empty if there is no such field.
    pub fn field(&self, name: &str) -> &str {
        let rest = self.html().split_once(&format!("name=\"{name}\" value=\"")).map_or("", |(_, rest)| rest);
        rest.split('"').next().unwrap_or_default()
    }

    /// Where the first link with a text leads; `None` if there is no such link.
    pub fn link(&self, text: &str) -> Option<String> {
        let (before, _) = self.html().split_once(&format!(">{text}</a>"))?;
        let (_, address) = before.rsplit_once("href=\"")?;
        address.split('"').next().map(unescape)
    }

    /// The values of all fields with a name in the page's forms, as a browser sends them.
    pub fn fields(&self, name: &str) -> Vec<String> {
        let start = format!("name=\"{name}\" value=\"");
        let values = self.html().split(&start).skip(1);
        values.map(|rest| unescape(rest.split('"').next().unwrap_or_default())).collect()
    }
}

/// A value of an attribute without its escapes.
fn unescape(value: &str) -> String {
    let escapes = [
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&#38;", "&"),
    ];
    escapes.iter().fold(value.to_owned(), |text, (escape, plain)| text.replace(escape, plain))
}
