//! The log: one line of JSON for each event on stderr, in the form of hclog, which Terraform merges into its own.
//!
//! `TF_LOG_PROVIDER_IMAGESHARE`, `TF_LOG_PROVIDER` or `TF_LOG`, the first that is set, is the level. Only events of this crate are
//! logged, none of the libraries': nothing here ever logs a value, a header or a body.

use std::env;
use std::fmt::Debug;
use std::io::{self, Write};

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{Interest, set_global_default};
use tracing::{Event, Level, Metadata, Subscriber};

/// The variables with the level, the most specific first.
const LEVEL_VARIABLES: [&str; 3] = ["TF_LOG_PROVIDER_IMAGESHARE", "TF_LOG_PROVIDER", "TF_LOG"];

/// The form that Terraform parses: exactly six digits of a second.
const TIME_FORMAT: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

/// Installs the log, if one is wanted.
pub(super) fn install() {
    let variable =
        LEVEL_VARIABLES.iter().find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()));
    if let Some(level) = variable.and_then(|text| parse_level(&text)) {
        // Only a test may have installed another.
        let _ = set_global_default(HclogSubscriber { level });
    }
}

/// The level of a name; as in Terraform, one that it does not know means everything. `None` if nothing is logged.
fn parse_level(name: &str) -> Option<Level> {
    match name.to_ascii_uppercase().as_str() {
        "OFF" => None,
        "ERROR" => Some(Level::ERROR),
        "WARN" => Some(Level::WARN),
        "INFO" => Some(Level::INFO),
        "DEBUG" => Some(Level::DEBUG),
        _ => Some(Level::TRACE),
    }
}

/// Writes events. Spans are not recorded.
struct HclogSubscriber {
    level: Level,
}

impl Subscriber for HclogSubscriber {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
            && *metadata.level() <= self.level
            && metadata.target().starts_with(env!("CARGO_CRATE_NAME"))
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(Map::new());
        event.record(&mut fields);
        let now = OffsetDateTime::now_utc().format(TIME_FORMAT).unwrap_or_default();
        let line = hclog_line(*event.metadata().level(), event.metadata().target(), &now, fields.0);
        // There is nowhere to report that a log cannot be written.
        let _ = writeln!(io::stderr().lock(), "{line}");
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn hclog_line(level: Level, module: &str, now: &str, mut fields: Map<String, Value>) -> Value {
    let message = fields.remove("message").unwrap_or_default();
    let level = level.as_str().to_ascii_lowercase();
    for (key, value) in [
        ("@level", level.into()),
        ("@message", message),
        ("@module", module.into()),
        ("@timestamp", now.into()),
    ] {
        fields.insert(key.to_owned(), value);
    }
    Value::Object(fields)
}

/// The fields of an event as JSON.
struct Fields(Map<String, Value>);

impl Fields {
    fn add(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn line_has_the_form_of_hclog() {
        let fields = json!({"message": "a client was refused", "problem": "no certificate"});
        let line = hclog_line(Level::WARN, "imageshare_provider", "T", fields.as_object().unwrap().clone());
        let expected = json!({"@level": "warn", "@message": "a client was refused", "@module": "imageshare_provider",
            "@timestamp": "T", "problem": "no certificate"});
        assert_eq!(line, expected);
    }

    #[test]
    fn levels_are_terraforms() {
        assert_eq!(parse_level("warn"), Some(Level::WARN));
        assert_eq!(parse_level("JSON"), Some(Level::TRACE));
        assert_eq!(parse_level("off"), None);
    }
}
