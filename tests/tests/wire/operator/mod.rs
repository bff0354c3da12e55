//! What a server offers its operator: log, metrics, command line, configuration, and pages.

mod command_line;
mod log;
mod metrics;
mod pages;
mod remote;
mod systemd;

use std::time::Duration;

use imageshare_tests::server_process::ServerProcess;
use serde_json::Value;

/// The lines of a server's log, once one of them matches.
async fn wait_for_lines(server: &ServerProcess, matches_line: impl Fn(&Value) -> bool) -> Vec<Value> {
    for _ in 0..500 {
        let log = server.log();
        let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        if lines.iter().any(&matches_line) {
            return lines;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("no such line in {}", server.log());
}

/// The line with this message in which all of these fields have these values.
async fn wait_for_line(server: &ServerProcess, message: &str, members: &[(&str, Value)]) -> Value {
    let is_it = |line: &Value| {
        line["message"] == message && members.iter().all(|(name, value)| line[*name] == *value)
    };
    let lines = wait_for_lines(server, is_it).await;
    lines.into_iter().find(is_it).unwrap()
}
