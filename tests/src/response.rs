//! A response, and assertions on it.

use std::collections::BTreeMap;

use http::header::CONTENT_TYPE;
use imageshare::http::HttpResponse;
use lambda_http::Body;
use serde_json::Value;

/// The response to one request, over HTTP or from a function in the test's own process.
#[derive(Debug, Clone)]
pub struct ApiResponse {
    /// The request, shortened, for messages of failed assertions.
    pub request: String,
    /// The status.
    pub status: u16,
    /// The headers, with lower-case names.
    pub headers: BTreeMap<String, String>,
    /// The body: JSON, a string if it is text, `Null` if there is none.
    pub body: Value,
}

impl ApiResponse {
    /// The error's code; empty if this is not an error.
    pub fn code(&self) -> &str {
        self.error_field("/error/code", "/Code")
    }

    /// The error's message; empty if this is not an error.
    pub fn message(&self) -> &str {
        self.error_field("/error/message", "/Message")
    }

    /// A field of the common error body, or of Alibaba's.
    fn error_field(&self, pointer: &str, rpc_pointer: &str) -> &str {
        let found = self.body.pointer(pointer).or_else(|| self.body.pointer(rpc_pointer));
        found.and_then(Value::as_str).unwrap_or_default()
    }

    /// Adds the name of a case to the messages of failed assertions.
    #[must_use]
    pub fn in_case(self, case: &str) -> Self {
        Self { request: format!("{case}: {}", self.request), ..self }
    }

    /// Asserts the status. Returns the response, for further assertions.
    ///
    /// # Panics
    /// If the status differs; prints the request and the response.
    #[track_caller]
    pub fn expect_status(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{self:#?}");
        self
    }

    /// Asserts the status and the code of an error. Returns the response, for further assertions.
    ///
    /// # Panics
    /// If either differs; prints the request and the response.
    #[track_caller]
    pub fn expect_error(&self, status: u16, code: &str) -> &Self {
        assert_eq!((self.status, self.code()), (status, code), "{self:#?}");
        self
    }

    /// Asserts the status and the whole message of an error. Returns the response, for further assertions.
    ///
    /// # Panics
    /// If either differs; prints the request and the response.
    #[track_caller]
    pub fn expect_message(&self, status: u16, message: &str) -> &Self {
        assert_eq!((self.status, self.message()), (status, message), "{self:#?}");
        self
    }
}

impl From<HttpResponse> for ApiResponse {
    fn from(response: HttpResponse) -> Self {
        let headers = response.headers().iter();
        let headers = headers
            .map(|(name, value)| (name.to_string(), value.to_str().expect("a printable header").to_owned()));
        let is_json = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
        let body = match response.body() {
            Body::Text(text) if is_json => serde_json::from_str(text).expect("a JSON body"),
            Body::Text(text) => Value::String(text.clone()),
            _ => Value::Null,
        };
        let (request, status) = (String::new(), response.status().as_u16());
        Self { request, status, headers: headers.collect(), body }
    }
}
