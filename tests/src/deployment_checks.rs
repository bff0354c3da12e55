//! Runs the checks of a deployment from outside (`infra/aws/scripts/check-deployment.py`), against any deployment that a test has.

use std::path::Path;

use serde_json::Value;
use tokio::process::Command;

/// What one check saw.
#[derive(Debug)]
pub struct CheckResult {
    /// Its name.
    pub check: String,
    /// `ok`, `known` or `DIFFERENT`.
    pub verdict: String,
    /// What it saw.
    pub seen: String,
}

/// Makes the checks with a `member`'s token of a project. `arguments` are further ones of the script.
///
/// # Panics
/// Without Python 3.8 or later, or if the script could not make its checks.
pub async fn check_deployment(
    workspace: &Path,
    url: &str,
    project: &str,
    token: &str,
    arguments: &[&str],
) -> Vec<CheckResult> {
    let mut command = Command::new("python3");
    command
        .arg(workspace.join("infra/aws/scripts/check-deployment.py"))
        .args(["--json", "--project", project])
        .args(arguments)
        .arg(url)
        .env("IMAGESHARE_TOKEN", token)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .kill_on_drop(true);
    let ended = command.output().await.expect("python3 runs");
    let said = String::from_utf8_lossy(&ended.stderr);
    let results: Vec<Value> =
        serde_json::from_slice(&ended.stdout).unwrap_or_else(|problem| panic!("{problem}: {said}"));
    let text = |result: &Value, name: &str| result[name].as_str().unwrap_or_default().to_owned();
    let results: Vec<_> = results
        .iter()
        .map(|result| CheckResult {
            check: text(result, "check"),
            verdict: text(result, "verdict"),
            seen: text(result, "seen"),
        })
        .collect();
    let is_good = results.iter().all(|result| result.verdict != "DIFFERENT");
    assert_eq!(ended.status.success(), is_good, "the exit status is not what the checks saw: {said}");
    results
}
