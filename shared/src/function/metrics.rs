//! Metrics out of the log. CloudWatch makes metrics of numbers in a log line that says which they are (Embedded Metric
//! Format), so a metric needs no call, no agent and no SDK. A function does so if its environment names a namespace;
//! a line then has what CloudWatch reads, and neither time, level nor span, since its size is part of its price.
//!
//! A metric has no dimension, or the function's name. Each combination of dimensions is a metric of its own at a price
//! of its own, so nothing that a client sends, a tenant least of all, is ever one.

use std::env;
use std::fmt;

use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::domain::Timestamp;
use crate::http::METRICS_TARGET;

/// The environment variable that turns the metrics on.
const VARIABLE: &str = "IMAGESHARE_METRICS_NAMESPACE";

/// After the namespace: one metric for each function.
const BY_FUNCTION: &str = "by-function";

/// The dimension's name, as in the metrics of Lambda itself.
const FUNCTION_NAME: &str = "FunctionName";

/// The longest namespace that CloudWatch takes.
const MAX_NAMESPACE_LENGTH: usize = 255;

/// The fields that are metrics, wherever a line has them, with CloudWatch's units. Ten in all, which is what an account
/// has for free.
const METRICS: [(&str, Option<&str>); 10] = [
    // Of a request.
    ("duration_us", Some("Microseconds")),
    ("round_trips", None),
    ("read_units", None),
    ("write_units", None),
    ("refused", None),
    ("failed", None),
    // Of work, by the stream or the sweep: executed, failed for now, ended as failed; and what the sweep found open.
    ("work_items", None),
    ("failed_work_items", None),
    ("ended_work_items", None),
    ("oldest_open_work_s", Some("Seconds")),
];

/// `IMAGESHARE_METRICS_NAMESPACE` has a value that is not understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "IMAGESHARE_METRICS_NAMESPACE: expected a CloudWatch namespace (letters, digits and any of . - _ / # :, not beginning with \
     AWS/), with or without `,by-function`; there are no metrics"
)]
pub(super) struct BadMetrics;

/// The metrics of a function: where they go.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Metrics {
    namespace: String,
    /// The value of the dimension, if there is one.
    function: Option<String>,
}

impl Metrics {
    /// Reads the variable `IMAGESHARE_METRICS_NAMESPACE`: `NAMESPACE`, or `NAMESPACE,by-function` for a metric of each function.
    /// `None` if it is not set.
    ///
    /// # Errors
    /// [`BadMetrics`] if it has another value.
    pub(super) fn from_env() -> Result<Option<Self>, BadMetrics> {
        let setting = env::var(VARIABLE).unwrap_or_default();
        let function = env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default();
        if setting.is_empty() { Ok(None) } else { Self::parse(&setting, function).map(Some) }
    }

    fn parse(setting: &str, function: String) -> Result<Self, BadMetrics> {
        let (namespace, function) = match setting.split_once(',') {
            None => (setting, None),
            Some((namespace, BY_FUNCTION)) => (namespace, Some(function)),
            Some(_) => return Err(BadMetrics),
        };
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_/#:".contains(&byte);
        let is_valid = (1..=MAX_NAMESPACE_LENGTH).contains(&namespace.len())
            && namespace.bytes().all(is_allowed)
            && !namespace.starts_with("AWS/");
        if is_valid { Ok(Self { namespace: namespace.to_owned(), function }) } else { Err(BadMetrics) }
    }

    /// The line of an event: its fields, and `_aws` with the names of those that are metrics. Without a level, which Lambda
    /// could filter by, and drop the metrics with the line.
    fn line(&self, event: &Event<'_>, now: Timestamp) -> String {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut line = fields.0;
        let metrics: Vec<Value> = METRICS
            .iter()
            .filter(|(name, _)| line.get(*name).is_some_and(Value::is_number))
            .map(|(name, unit)| match unit {
                Some(unit) => json!({"Name": name, "Unit": unit}),
                None => json!({"Name": name}),
            })
            .collect();
        let dimensions: &[&str] = if self.function.is_some() { &[FUNCTION_NAME] } else { &[] };
        let directive = json!({"Namespace": self.namespace, "Dimensions": [dimensions], "Metrics": metrics});
        line.insert(
            "_aws".to_owned(),
            json!({"Timestamp": now.unix_millis(), "CloudWatchMetrics": [directive]}),
        );
        line.extend(self.function.clone().map(|name| (FUNCTION_NAME.to_owned(), name.into())));
        Value::Object(line).to_string()
    }
}

/// The fields of an event, as JSON.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn insert(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.insert(field, format!("{value:?}"));
    }
}

/// Formats the lines that have metrics as [`Metrics`] does, if there are any, and all others as `inner` does.
pub(super) struct WithMetrics<F> {
    pub(super) inner: F,
    pub(super) metrics: Option<Metrics>,
}

impl<S, N, F> FormatEvent<S, N> for WithMetrics<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        match &self.metrics {
            Some(metrics) if event.metadata().target() == METRICS_TARGET => {
                writeln!(writer, "{}", metrics.line(event, Timestamp::now()))
            }
            _ => self.inner.format_event(context, writer, event),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_is_a_namespace_with_or_without_functions() {
        let parse = |setting: &str| Metrics::parse(setting, "imageshare-share".to_owned());
        let metrics = |function: Option<&str>| {
            Ok(Metrics { namespace: "imageshare".to_owned(), function: function.map(str::to_owned) })
        };
        assert_eq!(parse("imageshare"), metrics(None));
        assert_eq!(parse("imageshare,by-function"), metrics(Some("imageshare-share")));
        let long = "x".repeat(256);
        for wrong in ["", ",by-function", "imageshare,", "imageshare,by-tenant", "AWS/Lambda", "a b", &long] {
            assert_eq!(parse(wrong), Err(BadMetrics), "{wrong}");
        }
    }
}
