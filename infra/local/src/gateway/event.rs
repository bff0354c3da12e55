//! Converts an HTTP request to the event that API Gateway sends to a function: HTTP API, payload format 2.0.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_TYPE, COOKIE, HOST, USER_AGENT};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, request::Parts};
use percent_encoding::percent_decode_str;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

/// The AWS account id in events.
pub(crate) const ACCOUNT_ID: &str = "000000000000";

const CLF_TIME_FORMAT: &[BorrowedFormatItem<'_>] =
    format_description!("[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000");

/// The input of an event.
pub(super) struct EventInput<'a> {
    pub(super) head: &'a Parts,
    pub(super) body: &'a [u8],
    pub(super) route_key: &'a str,
    /// The path that the event has: see [`decode_path`] and [`decode_segments`].
    pub(super) path: &'a str,
    /// Names and values, still percent-encoded.
    pub(super) path_parameters: &'a [(&'a str, &'a str)],
    pub(super) request_id: &'a str,
    pub(super) client: SocketAddr,
    /// The host name if the request has no `Host`.
    pub(super) domain: &'a str,
    pub(super) now: OffsetDateTime,
}

/// Why a request cannot be converted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum MalformedRequest {
    /// The `Host` header is not a valid host, or there are two.
    Host,
    /// The request's target is not a path: `*`, or the host of a `CONNECT`.
    Target,
}

/// Returns the event as JSON.
///
/// # Errors
/// [`MalformedRequest`] if the target or the `Host` header is invalid.
pub(super) fn to_json(input: &EventInput<'_>) -> Result<String, MalformedRequest> {
    if !input.head.uri.path().starts_with('/') {
        return Err(MalformedRequest::Target);
    }
    let domain_name = request_host(&input.head.headers, input.domain)?;
    let query = input.head.uri.query().unwrap_or_default();
    let (body, is_base64_encoded) = encode_body(&input.head.headers, input.body);
    let event = HttpApiEvent {
        version: "2.0",
        route_key: input.route_key,
        raw_path: input.path,
        raw_query_string: query,
        cookies: cookies(&input.head.headers),
        headers: EventHeaders { headers: &input.head.headers, client: input.client },
        query_string_parameters: query_parameters(query),
        path_parameters: input
            .path_parameters
            .iter()
            .map(|(name, value)| (*name, decode_percent(value)))
            .collect(),
        request_context: RequestContext {
            account_id: ACCOUNT_ID,
            api_id: "local",
            domain_name,
            domain_prefix: domain_name.split('.').next().unwrap_or_default(),
            http: HttpContext {
                method: input.head.method.as_str(),
                path: input.path,
                protocol: &format!("{:?}", input.head.version),
                source_ip: &input.client.ip().to_string(),
                user_agent: header_text(input.head.headers.get(USER_AGENT)).unwrap_or_default(),
            },
            request_id: input.request_id,
            route_key: input.route_key,
            stage: "$default",
            time: input.now.format(CLF_TIME_FORMAT).unwrap_or_default(),
            time_epoch: i64::try_from(input.now.unix_timestamp_nanos() / 1_000_000).unwrap_or_default(),
        },
        body,
        is_base64_encoded,
    };
    // Strings and numbers always serialize.
    Ok(serde_json::to_string(&event).unwrap_or_default())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HttpApiEvent<'a> {
    version: &'static str,
    route_key: &'a str,
    raw_path: &'a str,
    raw_query_string: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<Cow<'a, str>>,
    headers: EventHeaders<'a>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    query_string_parameters: BTreeMap<Cow<'a, str>, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    path_parameters: BTreeMap<&'a str, Cow<'a, str>>,
    request_context: RequestContext<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Cow<'a, str>>,
    is_base64_encoded: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    account_id: &'static str,
    api_id: &'static str,
    domain_name: &'a str,
    domain_prefix: &'a str,
    http: HttpContext<'a>,
    request_id: &'a str,
    route_key: &'a str,
    stage: &'static str,
    time: String,
    time_epoch: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HttpContext<'a> {
    method: &'a str,
    path: &'a str,
    protocol: &'a str,
    source_ip: &'a str,
    user_agent: Cow<'a, str>,
}

/// The headers of an event: without cookies, which have a member of their own, and with the `X-Forwarded` headers that
/// API Gateway sets. Values of a repeated header are joined with a comma.
struct EventHeaders<'a> {
    headers: &'a HeaderMap,
    client: SocketAddr,
}

impl Serialize for EventHeaders<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const FORWARDED: [HeaderName; 3] = [
            HeaderName::from_static("x-forwarded-for"),
            HeaderName::from_static("x-forwarded-port"),
            HeaderName::from_static("x-forwarded-proto"),
        ];
        let mut map = serializer.serialize_map(None)?;
        for name in self.headers.keys() {
            if *name != COOKIE && !FORWARDED.contains(name) {
                map.serialize_entry(name.as_str(), &join_values(self.headers, name))?;
            }
        }
        let ip = self.client.ip();
        match join_values(self.headers, "x-forwarded-for") {
            before if before.is_empty() => map.serialize_entry("x-forwarded-for", &ip)?,
            before => map.serialize_entry("x-forwarded-for", &format_args!("{before}, {ip}"))?,
        }
        map.serialize_entry("x-forwarded-port", &self.client.port().to_string())?;
        map.serialize_entry("x-forwarded-proto", "http")?;
        map.end()
    }
}

fn join_values(headers: &HeaderMap, name: impl http::header::AsHeaderName) -> Cow<'_, str> {
    let mut values = headers.get_all(name).iter();
    let mut all = header_text(values.next()).unwrap_or_default();
    for next in values {
        let all = all.to_mut();
        all.push(',');
        all.push_str(&String::from_utf8_lossy(next.as_bytes()));
    }
    all
}

fn header_text(header: Option<&HeaderValue>) -> Option<Cow<'_, str>> {
    header.map(|value| String::from_utf8_lossy(value.as_bytes()))
}

fn cookies(headers: &HeaderMap) -> Vec<Cow<'_, str>> {
    let mut cookies = Vec::new();
    for header in headers.get_all(COOKIE) {
        match String::from_utf8_lossy(header.as_bytes()) {
            Cow::Borrowed(text) => cookies.extend(text.split("; ").map(Cow::Borrowed)),
            Cow::Owned(text) => cookies.extend(text.split("; ").map(|cookie| Cow::Owned(cookie.to_owned()))),
        }
    }
    cookies
}

/// Returns the request's host without its port, or `default`. Functions build a URL from it, so it has to be valid in
/// one.
fn request_host<'a>(headers: &'a HeaderMap, default: &'a str) -> Result<&'a str, MalformedRequest> {
    let mut all = headers.get_all(HOST).iter();
    let header = match (all.next(), all.next()) {
        (None, _) => return Ok(default),
        (Some(header), None) => header,
        // With two, an intermediary may have used either.
        (Some(_), Some(_)) => return Err(MalformedRequest::Host),
    };
    let text = header.to_str().map_err(|_| MalformedRequest::Host)?;
    let authority: Authority = text.parse().map_err(|_| MalformedRequest::Host)?;
    let name = authority.host();
    let port = text.strip_prefix(name).ok_or(MalformedRequest::Host)?;
    let is_valid_port =
        port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    if !is_valid_port || url::Host::parse(name).is_err() {
        return Err(MalformedRequest::Host);
    }
    text.get(..name.len()).ok_or(MalformedRequest::Host)
}

fn decode_percent(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

/// Decodes a path, as API Gateway does.
pub(super) fn decode_path(path: &str) -> Cow<'_, str> {
    decode_percent(path)
}

/// Decodes each segment of a path, and leaves an encoded slash encoded, so that the path keeps its segments.
pub(super) fn decode_segments(path: &str) -> String {
    let segments: Vec<_> = path.split("%2F").flat_map(|part| part.split("%2f")).map(decode_percent).collect();
    segments.join("%2F")
}

/// Returns the query's names and values, decoded. Values of a repeated name are joined with a comma.
fn query_parameters(query: &str) -> BTreeMap<Cow<'_, str>, String> {
    let mut parameters = BTreeMap::<_, String>::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        parameters
            .entry(name)
            .and_modify(|values| {
                values.push(',');
                values.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    parameters
}

/// Returns the body as text if its content type is text and it is valid UTF-8, otherwise in base64; and whether it is
/// in base64.
fn encode_body<'a>(headers: &HeaderMap, body: &'a [u8]) -> (Option<Cow<'a, str>>, bool) {
    if body.is_empty() {
        return (None, false);
    }
    match std::str::from_utf8(body) {
        Ok(text) if has_text_content_type(headers) => (Some(Cow::Borrowed(text)), false),
        _ => (Some(Cow::Owned(STANDARD.encode(body))), true),
    }
}

fn has_text_content_type(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.starts_with("text/")
        || ["application/json", "application/xml", "application/javascript"].contains(&essence.as_str())
        || (essence.starts_with("application/") && (essence.ends_with("+json") || essence.ends_with("+xml")))
}

#[cfg(test)]
mod tests;
