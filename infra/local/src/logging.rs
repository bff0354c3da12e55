//! The log: one JSON object a line on stderr, or something for the eye where stderr is a terminal.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

/// Starts the log, at the level that `RUST_LOG` names, `info` without it. A line that is written for a request bears the
/// request's id.
pub fn init() {
    let level = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(level).with_writer(io::stderr);
    if io::stderr().is_terminal() {
        log.compact().with_target(false).init();
    } else {
        log.json().flatten_event(true).with_span_list(false).init();
    }
    // Where it happened, but not what was said: that may quote a request.
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(location, "panic");
    }));
}
