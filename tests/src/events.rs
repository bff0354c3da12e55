//! The events that AWS sends: HTTP requests through API Gateway, stream records of the table, schedules.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use imageshare::domain::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::table_server::REGION;

/// An HTTP request in the format that an API Gateway HTTP API sends to a function (payload 2.0).
#[derive(Debug, Clone)]
pub struct HttpEvent {
    route: String,
    method: String,
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    body: Option<String>,
    is_base64: bool,
}

impl HttpEvent {
    /// A request that the gateway has routed, such as `GET /v1/{project_id}/jobs/{job_id}`. `path` may have a query
    /// after a `?`.
    ///
    /// The path is percent-decoded, as the gateway does. It is not checked against the route.
    pub fn new(route: &str, target: &str) -> Self {
        let (method, _) = route.split_once(' ').expect("a route is METHOD /path");
        Self::with_route(route, method, target)
    }

    /// A request for which the gateway has found no route.
    pub fn without_route(method: &str, target: &str) -> Self {
        Self::with_route("$default", method, target)
    }

    fn with_route(route: &str, method: &str, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            route: route.to_owned(),
            method: method.to_owned(),
            path: percent_decode(path),
            query: query.to_owned(),
            headers: BTreeMap::from([("host".to_owned(), "images.example".to_owned())]),
            body: None,
            is_base64: false,
        }
    }

    /// Adds a header. A second one of the same name is joined to the first with a comma, as the gateway does.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = name.to_ascii_lowercase();
        self.headers
            .entry(name)
            .and_modify(|values| *values = format!("{values},{value}"))
            .or_insert(value.to_owned());
        self
    }

    /// Adds an `X-Auth-Token` header.
    #[must_use]
    pub fn token(self, token: &str) -> Self {
        self.header("x-auth-token", token)
    }

    /// Sets a JSON body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").text(&body.to_string())
    }

    /// Sets a body of any text.
    #[must_use]
    pub fn text(mut self, body: &str) -> Self {
        self.body = Some(body.to_owned());
        self
    }

    /// Sets a body of bytes, which the gateway encodes in base64.
    #[must_use]
    pub fn bytes(mut self, body: &[u8]) -> Self {
        self.body = Some(STANDARD.encode(body));
        self.is_base64 = true;
        self
    }

    /// Returns the event.
    pub fn build(&self) -> Value {
        let now = Timestamp::now();
        let mut event = json!({
            "version": "2.0",
            "routeKey": self.route,
            "rawPath": self.path,
            "rawQueryString": self.query,
            "headers": self.headers,
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "api-id",
                "domainName": "images.example",
                "domainPrefix": "images",
                "http": {
                    "method": self.method,
                    "path": self.path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "192.0.2.1",
                    "userAgent": "test",
                },
                "requestId": format!("request-{}", now.unix_millis()),
                "routeKey": self.route,
                "stage": "$default",
                "time": format_gateway_time(now),
                "timeEpoch": now.unix_millis(),
            },
            "isBase64Encoded": self.is_base64,
        });
        // The gateway omits empty fields.
        let parameters = self.path_parameters();
        if !parameters.is_empty() {
            event["pathParameters"] = parameters.into();
        }
        if !self.query.is_empty() {
            event["queryStringParameters"] = json!(self.query_parameters());
        }
        if let Some(body) = &self.body {
            event["body"] = body.as_str().into();
        }
        event
    }

    fn path_parameters(&self) -> Map<String, Value> {
        let template = self.route.split_once(' ').map_or("", |(_, template)| template);
        // The last parameter may be all segments to the end, as `{page+}`.
        let segments = self.path.splitn(template.split('/').count(), '/');
        let steps = template.split('/').zip(segments);
        let parameter = |(name, value): (&str, &str)| {
            let name = name.strip_prefix('{')?.strip_suffix('}')?;
            Some((name.trim_end_matches('+').to_owned(), Value::from(value)))
        };
        steps.filter_map(parameter).collect()
    }

    fn query_parameters(&self) -> BTreeMap<String, String> {
        let mut parameters = BTreeMap::<String, String>::new();
        for pair in self.query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) =
                (percent_decode(&name.replace('+', " ")), percent_decode(&value.replace('+', " ")));
            parameters
                .entry(name)
                .and_modify(|values| *values = format!("{values},{value}"))
                .or_insert(value);
        }
        parameters
    }
}

fn percent_decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn format_gateway_time(moment: Timestamp) -> String {
    let form = format_description!("[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000");
    let moment = OffsetDateTime::from_unix_timestamp(moment.unix_seconds()).expect("now is a date");
    moment.format(form).expect("a date has every part of the form")
}

/// A stream record of the table; the stream carries keys only. `name` is `INSERT`, `MODIFY` or `REMOVE`; the key is
/// in DynamoDB's JSON: `{"pk": {"S": "…"}, "sk": {"S": "…"}}`.
pub fn stream_record(name: &str, sequence_number: &str, key: &Value) -> Value {
    json!({
        "eventID": format!("event-{sequence_number}"),
        "eventName": name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": REGION,
        "dynamodb": {
            "ApproximateCreationDateTime": Timestamp::now().unix_seconds(),
            "Keys": key,
            "SequenceNumber": sequence_number,
            "SizeBytes": key.to_string().len(),
            "StreamViewType": "KEYS_ONLY",
        },
        "eventSourceARN": format!("arn:aws:dynamodb:{REGION}:123456789012:table/imageshare/stream/2026-01-01T00:00:00.000"),
    })
}

/// The stream event with these records.
pub fn stream_event(records: &[Value]) -> Value {
    json!({"Records": records})
}

/// The event of a schedule that is due now.
pub fn schedule_event() -> Value {
    json!({
        "version": "0",
        "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": Timestamp::now().to_iso_seconds(),
        "region": REGION,
        "resources": [format!("arn:aws:events:{REGION}:123456789012:rule/imageshare-sweep")],
        "detail": {},
    })
}
