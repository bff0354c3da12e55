//! `GET /events`: what is on the bus, for admins. `imageshare events` follows it.

use std::time::Duration;

use http::StatusCode;
use imageshare::domain::authorize_admin;
use imageshare::http::query::{ENCODING, parse_pairs};
use imageshare::http::{ApiError, AuthenticatedRequest, HttpResponse, json_response};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::Semaphore;

use crate::bus::{Batch, LocalBus, Position};

/// The longest wait for an event. A function's response may take 29 seconds.
const MAX_WAIT: Duration = Duration::from_secs(20);

/// The most events of a response, and the default.
const MAX_LIMIT: usize = 1_000;
const DEFAULT_LIMIT: usize = 100;

/// The most bytes of events in a response.
const MAX_BYTES: usize = 2 * 1024 * 1024;

/// A response: the events, where to go on, and how many were missed.
#[derive(Debug, Serialize)]
struct Body<'a> {
    events: Vec<&'a RawValue>,
    next: String,
    missed: u64,
}

/// `?after=&limit=&wait=` in, `{"events":[…],"next":"…","missed":0}` out. Without `after`, begins with the oldest event
/// that is kept. With `wait`, up to 20 seconds, the response waits for an event if there is none.
pub(super) async fn handle(
    bus: &LocalBus,
    waiting: &Semaphore,
    request: &AuthenticatedRequest,
) -> HttpResponse {
    follow(bus, waiting, request).await.unwrap_or_else(ApiError::into_response)
}

async fn follow(
    bus: &LocalBus,
    waiting: &Semaphore,
    request: &AuthenticatedRequest,
) -> Result<HttpResponse, ApiError> {
    authorize_admin(request.caller())?;
    request.ensure_no_body()?;
    let query = FollowQuery::parse(request.raw_query())?;
    let batch = match waiting.try_acquire() {
        Ok(_permit) if !query.wait.is_zero() => bus.wait(query.after, query.limit, query.wait).await,
        Err(_) if !query.wait.is_zero() => {
            return Err(ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "IMG.0060",
                "Too many readers are waiting for events. Try again, or do not wait.",
            ));
        }
        _ => bus.read(query.after, query.limit),
    };
    Ok(json_response(StatusCode::OK, &body(&batch)))
}

/// The body of a response. Events that do not fit are left for the next one.
fn body(batch: &Batch) -> Body<'_> {
    let mut bytes = 0;
    let mut events = Vec::with_capacity(batch.events.len());
    for event in &batch.events {
        bytes += event.len();
        if bytes > MAX_BYTES && !events.is_empty() {
            break;
        }
        // What is on the bus was serialized from a value.
        events.extend(serde_json::from_str::<&RawValue>(event).ok());
    }
    let left = batch.events.len() - events.len();
    Body { events, next: batch.next.back(left as u64).to_string(), missed: batch.missed }
}

/// The parameters of a request.
#[derive(Debug, PartialEq, Eq)]
struct FollowQuery {
    after: Option<Position>,
    limit: usize,
    wait: Duration,
}

impl FollowQuery {
    fn parse(raw: &str) -> Result<Self, ApiError> {
        let mut query = Self { after: None, limit: DEFAULT_LIMIT, wait: Duration::ZERO };
        let mut seen = Vec::new();
        for (name, value) in parse_pairs(raw).map_err(|name| invalid(&name, ENCODING))? {
            if seen.contains(&name) {
                return Err(invalid(&name, "one value, not several"));
            }
            match name.as_str() {
                "after" => {
                    let after = value.parse().map_err(|_| invalid(&name, "next of the response before"))?;
                    query.after = Some(after);
                }
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
                    query.limit = limit.ok_or_else(|| invalid(&name, "a number from 1 to 1000"))?;
                }
                "wait" => {
                    let wait = value.parse().ok().map(Duration::from_secs).filter(|wait| *wait <= MAX_WAIT);
                    query.wait = wait.ok_or_else(|| invalid(&name, "a number of seconds from 0 to 20"))?;
                }
                _ => return Err(invalid(&name, "only after, limit and wait")),
            }
            seen.push(name);
        }
        Ok(query)
    }
}

fn invalid(name: &str, expected: &str) -> ApiError {
    ApiError::malformed(format!("{name}: expected {expected}."))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn invalid_parameter_of_the_event_list_is_named() {
        let default = FollowQuery { after: None, limit: 100, wait: Duration::ZERO };
        assert_eq!(FollowQuery::parse("").unwrap(), default);
        let query = FollowQuery::parse("after=0000000a-7&limit=9&wait=20").unwrap();
        assert_eq!((query.limit, query.wait), (9, Duration::from_secs(20)));
        assert_eq!(query.after.map(|after| after.to_string()).as_deref(), Some("0000000a-7"));
        for (query, expected) in [
            ("after=7", "after: expected next"),
            ("limit=0", "limit: expected a number from 1 to 1000"),
            ("limit=1001", "limit: expected"),
            ("wait=21", "wait: expected a number of seconds"),
            ("wait=-1", "wait: expected"),
            ("limit=1&limit=2", "limit: expected one value"),
            ("source=x", "source: expected only after, limit and wait"),
            ("after=%ff", "after: expected percent-encoded"),
        ] {
            let error = FollowQuery::parse(query).unwrap_err();
            assert!(error.message.starts_with(expected), "{query}: {error:?}");
        }
    }

    #[test]
    fn response_ends_before_it_is_too_large() {
        let bus = LocalBus::new("local".to_owned());
        (0..3).for_each(|_| bus.put(&json!("x".repeat(MAX_BYTES / 2))));
        let batch = bus.read(None, 100);
        let first = body(&batch);
        assert_eq!(first.events.len(), 1);
        let rest = bus.read(first.next.parse().ok(), 100);
        assert_eq!(rest.events.len(), 2);
    }
}
