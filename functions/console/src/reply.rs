//! A response to a browser, with the headers that all of them have.

use askama::Template;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, REFERRER_POLICY,
    SET_COOKIE, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use http::{Response, StatusCode};
use imageshare::http::{ErrorInfo, HttpResponse};
use lambda_http::Body;

/// What a page may load and do: its own styles, its own script, forms to itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The headers of every response of the console.
const HEADERS: [(HeaderName, &str); 7] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    // A browser heeds it on https only.
    (STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
];

/// A response to a browser.
#[derive(Debug)]
pub(crate) struct Reply {
    status: StatusCode,
    content: Content,
    cookies: Vec<String>,
    error: Option<(String, String)>,
}

#[derive(Debug)]
enum Content {
    Html(String),
    Redirect(String),
    Download { name: String, text: String },
}

impl Reply {
    /// A page.
    pub(crate) fn page(template: &impl Template) -> Self {
        Self::with_status(StatusCode::OK, template)
    }

    /// A page with another status.
    pub(crate) fn with_status(status: StatusCode, template: &impl Template) -> Self {
        match template.render() {
            Ok(html) => Self { status, content: Content::Html(html), cookies: Vec::new(), error: None },
            Err(problem) => {
                tracing::error!(%problem, "a page could not be rendered");
                let content = Content::Html(String::new());
                Self { status: StatusCode::INTERNAL_SERVER_ERROR, content, cookies: Vec::new(), error: None }
            }
        }
    }

    /// The page at another path, got by GET.
    pub(crate) fn redirect(location: impl Into<String>) -> Self {
        let content = Content::Redirect(location.into());
        Self { status: StatusCode::SEE_OTHER, content, cookies: Vec::new(), error: None }
    }

    /// A file of comma-separated values that the browser saves.
    pub(crate) fn csv(name: String, text: String) -> Self {
        let content = Content::Download { name, text };
        Self { status: StatusCode::OK, content, cookies: Vec::new(), error: None }
    }

    /// Adds the code and the reason of a refusal, for the log.
    #[must_use]
    pub(crate) fn with_error(self, code: &str, reason: &str) -> Self {
        Self { error: Some((code.to_owned(), reason.to_owned())), ..self }
    }

    /// Adds a cookie to set, if there is one.
    #[must_use]
    pub(crate) fn with_cookie(mut self, cookie: Option<String>) -> Self {
        self.cookies.extend(cookie);
        self
    }

    /// The HTTP response.
    pub(crate) fn into_response(self) -> HttpResponse {
        let (body, kind, header) = match self.content {
            Content::Html(html) => (Body::Text(html), "text/html; charset=utf-8", None),
            Content::Redirect(location) => {
                (Body::Empty, "text/html; charset=utf-8", Some((LOCATION, location)))
            }
            Content::Download { name, text } => {
                let disposition = format!("attachment; filename=\"{name}\"");
                (
                    Body::Text(text),
                    "text/csv; charset=utf-8",
                    Some((http::header::CONTENT_DISPOSITION, disposition)),
                )
            }
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        // Nothing of a page is kept: the next one who sits down must not find it.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some((name, value)) = header {
            headers.extend(HeaderValue::from_str(&value).ok().map(|value| (name, value)));
        }
        for cookie in self.cookies {
            headers.extend(HeaderValue::from_str(&cookie).ok().map(|cookie| (SET_COOKIE, cookie)));
        }
        let response = with_security_headers(response);
        match self.error {
            Some((code, reason)) => ErrorInfo::attach(response, &code, &reason),
            None => response,
        }
    }
}

/// Adds the headers that every response of the console has.
pub(crate) fn with_security_headers(mut response: HttpResponse) -> HttpResponse {
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
