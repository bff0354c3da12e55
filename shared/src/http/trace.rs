//! The log line of a request when it ends: the operation, the caller and its address, the status and the error, and
//! the use of the table.
//!
//! No line has anything with which its reader could make a request: ids of access keys and users are shortened,
//! queries and bodies are left out, and so are the parts of a path that may be a token.

use std::borrow::Cow;
use std::sync::OnceLock;
use std::time::Instant;

use http::header::{HeaderName, HeaderValue};
use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt};
use uuid::Uuid;

use super::gateway::{request_id_or_new, route_key};
use super::{ErrorInfo, HttpResponse};
use crate::domain::{AccessKeyId, Caller};
use crate::store::Usage;

/// The target of the log lines whose numbers a function on AWS turns into metrics.
pub const METRICS_TARGET: &str = "imageshare::metrics";

/// The gateway's route key for requests that match no other route.
const DEFAULT_ROUTE: &str = "$default";

/// The longest reason and the longest path in the log, in characters.
const MAX_TEXT_CHARS: usize = 300;

/// The longest segment of a path in the log: an id has 36 characters, a token has more.
const MAX_SEGMENT_LENGTH: usize = 40;

/// What the log line of a request needs, collected while it is handled.
#[derive(Debug)]
pub(crate) struct RequestTrace {
    pub(crate) request_id: String,
    pub(crate) route: String,
    started_at: Instant,
    client: Option<String>,
    /// The redacted path, if no route matched.
    unmatched_path: Option<String>,
    action: OnceLock<String>,
    access_key: OnceLock<AccessKeyId>,
}

impl RequestTrace {
    /// Starts the trace from the gateway's event.
    pub(crate) fn start(request: &Request) -> Self {
        let route = route_key(request);
        let client = match request.request_context_ref() {
            Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.clone(),
            _ => None,
        };
        let path = (route == DEFAULT_ROUTE).then(|| redact_path(request.raw_http_path()));
        Self {
            request_id: request_id_or_new(request),
            route,
            started_at: Instant::now(),
            client,
            unmatched_path: path,
            action: OnceLock::new(),
            access_key: OnceLock::new(),
        }
    }

    /// Records the action that the request names in an RPC dialect, if it has the form of an action's name.
    pub(crate) fn record_action(&self, name: &str) {
        if (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            self.action.get_or_init(|| name.to_owned());
        }
    }

    /// Records the access key that the request claims, before it is verified. Ignores a text that is not a valid id,
    /// since a client may have sent its secret instead.
    pub(crate) fn record_access_key(&self, claimed: &str) {
        if Uuid::try_parse(claimed).is_ok()
            && let Ok(id) = claimed.parse()
        {
            self.access_key.get_or_init(|| id);
        }
    }

    /// Adds the request's id to the response, and logs the request.
    pub(crate) fn finish(
        &self,
        mut response: HttpResponse,
        caller: Option<&Caller>,
        used: Usage,
    ) -> HttpResponse {
        for (name, id) in [
            ("x-request-id", HeaderValue::from_str(&self.request_id)),
            ("x-openstack-request-id", HeaderValue::from_str(&format!("req-{}", self.request_id))),
        ] {
            response.headers_mut().extend(id.ok().map(|id| (HeaderName::from_static(name), id)));
        }
        let problem = response.extensions().get::<ErrorInfo>();
        let access_key = caller.and_then(|caller| caller.access_key.as_ref()).or(self.access_key.get());
        let status = response.status();
        tracing::info!(
            target: METRICS_TARGET,
            request_id = self.request_id,
            client = self.client,
            tenant = caller.map(|caller| caller.tenant.as_str()),
            user = caller.and_then(|caller| caller.user.as_deref()).map(shorten_id).as_deref(),
            access_key = access_key.map(|id| shorten_id(id.as_str())).as_deref(),
            operation = self.route,
            action = self.action.get(),
            path = self.unmatched_path,
            status = status.as_u16(),
            refused = status.is_client_error().then_some(1),
            failed = status.is_server_error().then_some(1),
            code = problem.map(|problem| problem.code.as_str()),
            reason = problem.map(|problem| truncate(&problem.message, MAX_TEXT_CHARS)).as_deref(),
            duration_us = u64::try_from(self.started_at.elapsed().as_micros()).unwrap_or(u64::MAX),
            round_trips = used.round_trips,
            read_units = used.read_units,
            write_units = used.write_units,
            "request"
        );
        response
    }
}

/// Shortens an id so that it can be searched for, but not reconstructed.
fn shorten_id(id: &str) -> Cow<'_, str> {
    let begin = |length| id.chars().take(length).collect::<String>();
    match id.chars().count() {
        0..=8 => Cow::Borrowed(id),
        9..=15 => Cow::Owned(format!("{}…", begin(4))),
        length => Cow::Owned(format!("{}…{}", begin(8), id.chars().skip(length - 4).collect::<String>())),
    }
}

/// Redacts a path for the log: removes segments that may be a token, since clients of Keystone's older API put one
/// there.
pub fn redact_path(path: &str) -> String {
    let (mut safe, mut follows_tokens) = (String::new(), false);
    for (number, segment) in path.split('/').enumerate() {
        if number > 0 {
            safe.push('/');
        }
        if follows_tokens || segment.len() > MAX_SEGMENT_LENGTH {
            safe.push('…');
        } else {
            safe.push_str(segment);
        }
        follows_tokens = segment.eq_ignore_ascii_case("tokens");
    }
    truncate(&safe, MAX_TEXT_CHARS).into_owned()
}

fn truncate(text: &str, max_chars: usize) -> Cow<'_, str> {
    match text.char_indices().nth(max_chars) {
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_ids_are_shortened() {
        assert_eq!(shorten_id("u-1"), "u-1");
        assert_eq!(shorten_id("alice.smith"), "alic…");
        assert_eq!(shorten_id("019abc0e-4f1c-7d3e-9b5a-6c7d8e9f0a1b"), "019abc0e…0a1b");
        assert_eq!(shorten_id("ééééééééé"), "éééé…");
    }

    #[test]
    fn logged_path_contains_no_token() {
        let id = "7f1b5c0e-0d4a-4a53-9c3e-1f8b7c6d5e4f";
        for path in ["/", "", "/v2/nothing", &format!("/v2/images/{id}/nothing")] {
            assert_eq!(redact_path(path), path);
        }
        assert_eq!(redact_path("/v2.0/tokens/0123456789abcdef/endpoints"), "/v2.0/tokens/…/endpoints");
        assert_eq!(redact_path(&format!("/a/{}", "x".repeat(41))), "/a/…");
        assert_eq!(redact_path(&"/é".repeat(400)).chars().count(), MAX_TEXT_CHARS + 1);
    }
}
