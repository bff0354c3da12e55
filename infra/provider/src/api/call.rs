//! One call of the service: method, path, query and body.

use std::fmt;

use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::Value;

/// What needs no escape in a path segment or a value of a query.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

const JSON: &str = "application/json";
const JSON_PATCH: &str = "application/openstack-images-v2.1-json-patch";

/// A call of the service, without the credential. Its debug form has no body, which may contain a secret.
#[derive(Clone)]
pub struct Call {
    pub(super) method: Method,
    pub(super) target: String,
    pub(super) body: Option<(&'static str, Vec<u8>)>,
    pub(super) has_key: bool,
    pub(super) subject_token: Option<super::Secret>,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl Call {
    fn new(method: Method, path: &str, segments: &[&str]) -> Self {
        let mut target = String::new();
        let mut rest = segments.iter();
        for part in path.split_inclusive("{}") {
            match part.strip_suffix("{}") {
                Some(text) => {
                    target.push_str(text);
                    target.extend(
                        rest.next()
                            .map(|segment| utf8_percent_encode(segment, ESCAPED))
                            .into_iter()
                            .flatten(),
                    );
                }
                None => target.push_str(part),
            }
        }
        Self { method, target, body: None, has_key: false, subject_token: None }
    }

    /// A `GET` of a path, in which each `{}` stands for one of the segments.
    pub fn get(path: &str, segments: &[&str]) -> Self {
        Self::new(Method::GET, path, segments)
    }

    /// A `PUT`.
    pub fn put(path: &str, segments: &[&str]) -> Self {
        Self::new(Method::PUT, path, segments)
    }

    /// A `POST`.
    pub fn post(path: &str, segments: &[&str]) -> Self {
        Self::new(Method::POST, path, segments)
    }

    /// A `PATCH`.
    pub fn patch(path: &str, segments: &[&str]) -> Self {
        Self::new(Method::PATCH, path, segments)
    }

    /// A `DELETE`.
    pub fn delete(path: &str, segments: &[&str]) -> Self {
        Self::new(Method::DELETE, path, segments)
    }

    /// Adds a parameter to the query.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.target.push(if self.target.contains('?') { '&' } else { '?' });
        self.target.push_str(name);
        self.target.push('=');
        self.target.extend(utf8_percent_encode(value, ESCAPED));
        self
    }

    /// Adds a parameter to the query, if it has a value.
    #[must_use]
    pub fn query_if(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    /// Sets a JSON body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        Self { body: Some((JSON, body.to_string().into_bytes())), ..self }
    }

    /// Sets a JSON body from a value whose form is always JSON: a derived `Serialize` with string keys.
    #[must_use]
    pub fn body(self, body: &impl Serialize) -> Self {
        // `to_vec` fails for maps without string keys only, which no body here has.
        Self { body: Some((JSON, serde_json::to_vec(body).unwrap_or_default())), ..self }
    }

    /// Sets a JSON patch of an image as the body.
    #[must_use]
    pub fn json_patch(self, operations: &[super::PatchOperation]) -> Self {
        Self { body: Some((JSON_PATCH, serde_json::to_vec(operations).unwrap_or_default())), ..self }
    }

    /// Sends an `Idempotency-Key`, the same one with every retry.
    #[must_use]
    pub fn idempotent(self) -> Self {
        Self { has_key: true, ..self }
    }

    /// Names the token that the call is about.
    #[must_use]
    pub fn about_token(self, token: super::Secret) -> Self {
        Self { subject_token: Some(token), ..self }
    }

    /// Whether the call may be sent again when it is not known whether it was executed.
    pub(super) fn is_repeatable(&self) -> bool {
        self.has_key || self.method != Method::POST
    }

    /// The call in messages and the log: its method and path.
    pub(super) fn name(&self) -> String {
        let path = self.target.split('?').next().unwrap_or_default();
        format!("{} {path}", self.method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_values_are_escaped() {
        let call = Call::get("/v2/images/{}/members/{}", &["a/b", "c d"])
            .query("name", "x&y=z")
            .query_if("id", None);
        assert_eq!(call.target, "/v2/images/a%2Fb/members/c%20d?name=x%26y%3Dz");
        assert_eq!(call.name(), "GET /v2/images/a%2Fb/members/c%20d");
    }

    #[test]
    fn only_a_post_without_a_key_is_not_repeatable() {
        assert!(Call::put("/v1/vaults/{}", &["v"]).is_repeatable());
        assert!(!Call::post("/v2/images", &[]).is_repeatable());
        assert!(Call::post("/v2/images", &[]).idempotent().is_repeatable());
    }
}
