//! What a check of Terraform's configurations against common policies (checkov) finds in the module.

use imageshare_tests::aws::{SetupError, available};
use imageshare_tests::python;
use serde_json::Value;
use tokio::process::Command;

use super::{target, tests, workspace};

#[tokio::test]
async fn policy_check_finds_nothing_that_is_not_explained() {
    let python = python::with_requirements(&tests().join("aws/checkov.txt"), target()).await;
    let Some(python) = available(python.map_err(|problem| SetupError(problem.to_string()))) else { return };
    let mut command = Command::new(python);
    command.args(["-m", "checkov.main", "--framework", "terraform", "--skip-download", "--output", "json"]);
    let ended = command
        .arg("--directory")
        .arg(workspace().join("infra/aws"))
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let report: Value = serde_json::from_slice(&ended.stdout)
        .unwrap_or_else(|problem| panic!("{problem}: {}", String::from_utf8_lossy(&ended.stderr)));
    let checks = |kind: &str| report["results"][kind].as_array().unwrap().clone();
    let failed: Vec<_> = checks("failed_checks")
        .iter()
        .map(|check| format!("{} {} {}", check["check_id"], check["check_name"], check["resource"]))
        .collect();
    assert_eq!(failed, [""; 0]);
    assert_eq!(
        (&report["summary"]["parsing_errors"], checks("passed_checks").is_empty()),
        (&Value::from(0), false)
    );
    for check in checks("skipped_checks") {
        let reason = check["check_result"]["suppress_comment"].as_str().unwrap_or_default();
        assert!(reason.contains(' '), "{} is skipped without a reason", check["check_id"]);
    }
}
