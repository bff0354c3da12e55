//! The log of a function on AWS, which is also where its metrics come from.

use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::environment::optional_var;
use super::metrics::{Metrics, WithMetrics};
use crate::http::METRICS_TARGET;

/// The name that the log lines of Lambda's runtime begin with.
const LAMBDA_RUNTIME: &str = "lambda_runtime";

/// Starts the log: one JSON object per line, which CloudWatch can query. `RUST_LOG` sets the level, of all modules or of
/// some (`warn,imageshare=debug`), except for Lambda's runtime, which stays at `info`: at `trace` it logs whole events,
/// with the clients' credentials. Lines with metrics are written at every level if `IMAGESHARE_METRICS_NAMESPACE` is
/// set.
pub fn init_logging() {
    let (metrics, problem) = match Metrics::from_env() {
        Ok(metrics) => (metrics, None),
        Err(problem) => (None, Some(problem)),
    };
    let filter = log_filter(optional_var("RUST_LOG").as_deref());
    let filter = if metrics.is_some() { filter.with_target(METRICS_TARGET, Level::DEBUG) } else { filter };
    // The span of a request is the only one.
    let inner = format().json().flatten_event(true).with_target(false).with_span_list(false);
    let log = tracing_subscriber::fmt::layer().fmt_fields(JsonFields::new());
    let log = log.event_format(WithMetrics { inner, metrics });
    tracing_subscriber::registry().with(log).with(filter).init();
    if let Some(problem) = problem {
        tracing::error!("{problem}");
    }
}

/// The filter of the log for a value of `RUST_LOG`; that of `info` if it is missing or not a list of levels. A filter
/// by the values of spans and fields, which would need regular expressions, is not offered.
fn log_filter(level: Option<&str>) -> Targets {
    let filter: Option<Targets> = level.and_then(|level| level.parse().ok());
    let filter = filter.unwrap_or_else(|| Targets::new().with_default(Level::INFO));
    let default = filter.default_level().unwrap_or(LevelFilter::OFF);
    let targets = filter.into_iter().filter(|(target, _)| !target.starts_with(LAMBDA_RUNTIME));
    Targets::new().with_default(default).with_targets(targets).with_target(LAMBDA_RUNTIME, Level::INFO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_level_never_opens_the_log_of_lambda_runtime() {
        for level in ["trace", "lambda_runtime=trace", "lambda_runtime::layers=trace", "imageshare=debug"] {
            let filter = log_filter(Some(level));
            assert!(filter.would_enable("lambda_runtime", &Level::INFO), "{level}");
            assert!(!filter.would_enable("lambda_runtime::layers", &Level::DEBUG), "{level}");
        }
    }

    #[test]
    fn log_level_is_that_of_the_variable_or_info() {
        for (level, shown, hidden) in [
            (None, Level::INFO, Level::DEBUG),
            (Some("warn"), Level::WARN, Level::INFO),
            (Some("error,imageshare=debug"), Level::DEBUG, Level::TRACE),
            (Some("=["), Level::INFO, Level::DEBUG),
        ] {
            let filter = log_filter(level);
            assert!(filter.would_enable("imageshare::http", &shown), "{level:?}");
            assert!(!filter.would_enable("imageshare::http", &hidden), "{level:?}");
        }
    }
}
