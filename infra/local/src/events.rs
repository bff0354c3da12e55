//! `imageshare events`: prints what is on the event bus of a server, over its API.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::time::Duration;

use imageshare::domain::Role;
use serde_json::Value;

use crate::access_key::sanitize_for_terminal;
use crate::cli::{EventFormat, EventsArguments};
use crate::client::{Client, ClientError};
use crate::keys::TokenClaims;

/// The project of the command's own tokens, as the service's log names it.
const ACTING_PROJECT: &str = "command-line";

/// How many events are printed before new ones, by default.
const DEFAULT_LAST: usize = 10;

/// How long a request waits for an event, in seconds; less than the client's timeout.
const WAIT_SECONDS: u32 = 20;

/// How long to wait before a busy or restarting server is asked again.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Why the command ended.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    /// The server refuses, or cannot be reached.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Nobody reads the output any more.
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
}

/// Runs the command, and writes events to `output` as they come.
///
/// # Errors
/// [`EventsError`]. With `follow`, a server that cannot be reached is one only at the beginning.
pub async fn run(arguments: &EventsArguments, output: &mut impl Write) -> Result<(), EventsError> {
    let project = ACTING_PROJECT.parse().map_err(|_| ClientError::UnexpectedResponse)?;
    let (roles, lifetime) = (vec![Role::Admin], Duration::from_mins(1));
    let claims = TokenClaims { project, account: None, user: None, roles, lifetime };
    let client = Client::for_server(&arguments.location, claims)?;

    let last = arguments.last.unwrap_or(if arguments.follow { DEFAULT_LAST } else { usize::MAX });
    let mut kept = VecDeque::new();
    let mut next = String::new();
    loop {
        let page = Page::read(&client, &next, 0).await?;
        let is_last = page.events.is_empty();
        for event in page.events.into_iter().filter(|event| is_wanted(event, arguments)) {
            kept.push_back(event);
            if kept.len() > last {
                kept.pop_front();
            }
        }
        next = page.next;
        if is_last {
            break;
        }
    }
    write_events(kept.iter(), arguments.format, output)?;
    if !arguments.follow {
        return Ok(());
    }
    loop {
        match Page::read(&client, &next, WAIT_SECONDS).await {
            Ok(page) => {
                if page.missed > 0 {
                    eprintln!(
                        "imageshare: {} events were missed; the server keeps only the last",
                        page.missed
                    );
                }
                let wanted = page.events.iter().filter(|event| is_wanted(event, arguments));
                write_events(wanted, arguments.format, output)?;
                next = page.next;
            }
            Err(ClientError::Busy(_) | ClientError::Unreachable { .. } | ClientError::Timeout) => {
                tokio::time::sleep(RETRY_DELAY).await;
            }
            Err(problem) => return Err(problem.into()),
        }
    }
}

/// A response of the server.
struct Page {
    events: Vec<Value>,
    next: String,
    missed: u64,
}

impl Page {
    async fn read(client: &Client, after: &str, wait: u32) -> Result<Self, ClientError> {
        let after = if after.is_empty() { String::new() } else { format!("&after={after}") };
        let target = format!("/events?limit=1000&wait={wait}{after}");
        let mut body = client.request("GET", &target, None).await?;
        let Some(Value::Array(events)) = body.get_mut("events").map(Value::take) else {
            return Err(ClientError::UnexpectedResponse);
        };
        let next = body.get("next").and_then(Value::as_str).ok_or(ClientError::UnexpectedResponse)?;
        let missed = body.get("missed").and_then(Value::as_u64).unwrap_or_default();
        Ok(Self { events, next: next.to_owned(), missed })
    }
}

fn is_wanted(event: &Value, arguments: &EventsArguments) -> bool {
    arguments
        .source
        .as_deref()
        .is_none_or(|source| event.get("source").and_then(Value::as_str) == Some(source))
}

fn write_events<'a>(
    events: impl Iterator<Item = &'a Value>,
    format: EventFormat,
    output: &mut impl Write,
) -> io::Result<()> {
    for event in events {
        match format {
            EventFormat::Json => writeln!(output, "{event}")?,
            EventFormat::Lines => writeln!(output, "{}", format_line(event))?,
        }
    }
    output.flush()
}

/// Formats an event as a line. Its texts may be anybody's, so control characters are replaced.
fn format_line(event: &Value) -> String {
    let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
    let resources = event.get("resources").and_then(Value::as_array).into_iter().flatten();
    let resources: Vec<_> = resources.filter_map(Value::as_str).collect();
    let resources = resources.join(" ");
    let fields = [text("time"), text("source"), text("detail-type"), text("account"), &resources];
    fields.map(sanitize_for_terminal).join("\t")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn line_of_an_event_has_no_control_characters() {
        let event = json!({"time": "2026-11-30T12:00:00Z", "source": "a\u{1b}[2J", "detail-type": "B\tC",
            "account": "123456789012", "resources": ["r1", "r2"]});
        let line = format_line(&event);
        assert!(line.ends_with("\t123456789012\tr1 r2"), "{line:?}");
        assert_eq!(line.matches(char::is_control).count(), 4, "{line:?}");
        assert_eq!(format_line(&json!(1)), "\t\t\t\t");
    }
}
