//! An HTTP request as the event that a function gets from API Gateway: HTTP API, payload format 2.0.

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

/// The account that events of this gateway name.
pub(crate) const ACCOUNT_ID: &str = "000000000000";

const CLF: &[BorrowedFormatItem<'_>] =
    format_description!("[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000");

/// All that the event is made of.
pub(super) struct Source<'a> {
    pub(super) head: &'a Parts,
    pub(super) body: &'a [u8],
    pub(super) route_key: &'a str,
    /// Names and values as they stand in the path.
    pub(super) path_parameters: &'a [(&'a str, &'a str)],
    pub(super) request_id: &'a str,
    pub(super) client: SocketAddr,
    /// The host that stands in for a missing `Host`.
    pub(super) domain: &'a str,
    pub(super) now: OffsetDateTime,
}

/// Why nothing can be made of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    /// The `Host` header names no host, or there is a second one.
    Host,
    /// The request's target is no path: `*`, or the host of a `CONNECT`.
    Target,
}

/// The event's JSON text.
pub(super) fn text(source: &Source<'_>) -> Result<String, Malformed> {
    if !source.head.uri.path().starts_with('/') {
        return Err(Malformed::Target);
    }
    let domain_name = host(&source.head.headers, source.domain)?;
    let path = decoded(source.head.uri.path());
    let query = source.head.uri.query().unwrap_or_default();
    let (body, is_base64_encoded) = body(&source.head.headers, source.body);
    let event = Event {
        version: "2.0",
        route_key: source.route_key,
        raw_path: &path,
        raw_query_string: query,
        cookies: cookies(&source.head.headers),
        headers: Headers { received: &source.head.headers, client: source.client },
        query_string_parameters: query_parameters(query),
        path_parameters: source.path_parameters.iter().map(|(name, value)| (*name, decoded(value))).collect(),
        request_context: Context {
            account_id: ACCOUNT_ID,
            api_id: "local",
            domain_name,
            domain_prefix: domain_name.split('.').next().unwrap_or_default(),
            http: Http {
                method: source.head.method.as_str(),
                path: &path,
                protocol: &format!("{:?}", source.head.version),
                source_ip: &source.client.ip().to_string(),
                user_agent: value(source.head.headers.get(USER_AGENT)).unwrap_or_default(),
            },
            request_id: source.request_id,
            route_key: source.route_key,
            stage: "$default",
            time: source.now.format(CLF).unwrap_or_default(),
            time_epoch: i64::try_from(source.now.unix_timestamp_nanos() / 1_000_000).unwrap_or_default(),
        },
        body,
        is_base64_encoded,
    };
    // Texts and numbers are always written.
    Ok(serde_json::to_string(&event).unwrap_or_default())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    version: &'static str,
    route_key: &'a str,
    raw_path: &'a str,
    raw_query_string: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<Cow<'a, str>>,
    headers: Headers<'a>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    query_string_parameters: BTreeMap<Cow<'a, str>, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    path_parameters: BTreeMap<&'a str, Cow<'a, str>>,
    request_context: Context<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Cow<'a, str>>,
    is_base64_encoded: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    account_id: &'static str,
    api_id: &'static str,
    domain_name: &'a str,
    domain_prefix: &'a str,
    http: Http<'a>,
    request_id: &'a str,
    route_key: &'a str,
    stage: &'static str,
    time: String,
    time_epoch: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Http<'a> {
    method: &'a str,
    path: &'a str,
    protocol: &'a str,
    source_ip: &'a str,
    user_agent: Cow<'a, str>,
}

/// The headers as the event has them: without the cookies, which stand apart, and with API Gateway's own word on
/// where the request came from. Values of a repeated header are joined with a comma.
struct Headers<'a> {
    received: &'a HeaderMap,
    client: SocketAddr,
}

impl Serialize for Headers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const FORWARDED: [HeaderName; 3] = [
            HeaderName::from_static("x-forwarded-for"),
            HeaderName::from_static("x-forwarded-port"),
            HeaderName::from_static("x-forwarded-proto"),
        ];
        let mut map = serializer.serialize_map(None)?;
        for name in self.received.keys() {
            if *name != COOKIE && !FORWARDED.contains(name) {
                map.serialize_entry(name.as_str(), &joined(self.received, name))?;
            }
        }
        let ip = self.client.ip();
        match joined(self.received, "x-forwarded-for") {
            before if before.is_empty() => map.serialize_entry("x-forwarded-for", &ip)?,
            before => map.serialize_entry("x-forwarded-for", &format_args!("{before}, {ip}"))?,
        }
        map.serialize_entry("x-forwarded-port", &self.client.port().to_string())?;
        map.serialize_entry("x-forwarded-proto", "http")?;
        map.end()
    }
}

fn joined(headers: &HeaderMap, name: impl http::header::AsHeaderName) -> Cow<'_, str> {
    let mut values = headers.get_all(name).iter();
    let mut all = value(values.next()).unwrap_or_default();
    for next in values {
        let all = all.to_mut();
        all.push(',');
        all.push_str(&String::from_utf8_lossy(next.as_bytes()));
    }
    all
}

fn value(header: Option<&HeaderValue>) -> Option<Cow<'_, str>> {
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

/// The host of the request without its port. Functions make a URL of it, so it has to be one that a URL may have.
fn host<'a>(headers: &'a HeaderMap, otherwise: &'a str) -> Result<&'a str, Malformed> {
    let mut all = headers.get_all(HOST).iter();
    let header = match (all.next(), all.next()) {
        (None, _) => return Ok(otherwise),
        (Some(header), None) => header,
        // Which of two an intermediary believed is not ours to guess.
        (Some(_), Some(_)) => return Err(Malformed::Host),
    };
    let text = header.to_str().map_err(|_| Malformed::Host)?;
    let authority: Authority = text.parse().map_err(|_| Malformed::Host)?;
    let name = authority.host();
    let port = text.strip_prefix(name).ok_or(Malformed::Host)?;
    let port_is_good =
        port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    if !port_is_good || url::Host::parse(name).is_err() {
        return Err(Malformed::Host);
    }
    text.get(..name.len()).ok_or(Malformed::Host)
}

fn decoded(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

/// The query's names and values, decoded; values of a repeated name are joined with a comma.
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

/// The body as text where its type says that it is one and it is; in base64 otherwise.
fn body<'a>(headers: &HeaderMap, body: &'a [u8]) -> (Option<Cow<'a, str>>, bool) {
    if body.is_empty() {
        return (None, false);
    }
    match std::str::from_utf8(body) {
        Ok(text) if is_text(headers) => (Some(Cow::Borrowed(text)), false),
        _ => (Some(Cow::Owned(STANDARD.encode(body))), true),
    }
}

fn is_text(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.starts_with("text/")
        || ["application/json", "application/xml", "application/javascript"].contains(&essence.as_str())
        || (essence.starts_with("application/") && (essence.ends_with("+json") || essence.ends_with("+xml")))
}

#[cfg(test)]
mod tests;
