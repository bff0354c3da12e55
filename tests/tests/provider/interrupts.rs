//! Interrupts, kills and panics in the middle of an apply.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use imageshare_tests::terraform::Release;
use tokio::process::Child;
use tokio::time::{sleep, timeout};

use crate::sample::Sample;

/// How long something may take, however slow the machine.
const PATIENCE: Duration = Duration::from_mins(5);

/// Waits until an apply has created the thing, which then waits for ten minutes.
async fn apply_until_it_waits(sample: &Sample) -> Child {
    sample.write_thing("behaviour = \"wait\"");
    let apply = sample.project.start(&["apply", "-auto-approve", "-no-color"]);
    let created = async {
        while !sample.file("thing").exists() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, created).await.expect("the thing is created");
    apply
}

fn send_signal(signal: &str, target: &str) {
    let sent = Command::new("kill").args([signal, "--", target]).status();
    assert!(sent.is_ok_and(|status| status.success()), "kill {signal} {target}");
}

/// The process of the provider that creates the thing: the child of Terraform that was started last.
fn provider_of(terraform: &Child) -> String {
    let parent = terraform.id().expect("it runs").to_string();
    let processes =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let is_child = |process: &String| {
        let stat = fs::read_to_string(Path::new("/proc").join(process).join("stat")).unwrap_or_default();
        stat.contains("terraform-provi")
            && stat.rsplit(')').next().unwrap_or_default().split_whitespace().nth(1) == Some(&parent)
    };
    processes.filter(is_child).max_by_key(|process| process.parse::<u64>().unwrap()).expect("a provider")
}

#[tokio::test]
async fn interrupted_wait_is_a_warning_and_keeps_the_state() {
    let Some(sample) = Sample::new(Release::Installed).await else { return };
    let apply = apply_until_it_waits(&sample).await;
    // As by Ctrl-C: Terraform and the provider get it.
    send_signal("-INT", &format!("-{}", apply.id().unwrap()));
    let ended = timeout(PATIENCE, sample.project.wait(apply)).await.expect("it ends");
    ended.expect_output(&["Interrupted", "The thing may not be ready."]);
    assert!(!sample.project.stored_state().contains("tainted"));
    assert_eq!(sample.project.state("sample_thing.t").await["revision"], 1);
    sample.project.expect_no_changes().await;
}

#[tokio::test]
async fn killed_provider_is_repaired_by_the_next_apply() {
    let Some(sample) = Sample::new(Release::Installed).await else { return };
    let apply = apply_until_it_waits(&sample).await;
    send_signal("-KILL", &provider_of(&apply));
    let ended = timeout(PATIENCE, sample.project.wait(apply)).await.expect("it ends");
    ended.expect_error(&["Plugin did not respond"]);
    sample.write_thing("");
    sample.project.apply().await;
    sample.project.expect_no_changes().await;
}

#[tokio::test]
async fn terminated_provider_lets_the_apply_end() {
    let Some(sample) = Sample::new(Release::Installed).await else { return };
    let apply = apply_until_it_waits(&sample).await;
    send_signal("-TERM", &provider_of(&apply));
    let ended = timeout(PATIENCE, sample.project.wait(apply)).await.expect("it ends");
    ended.expect_success().expect_output(&["Interrupted"]);
    sample.project.expect_no_changes().await;
}

#[tokio::test]
async fn panic_becomes_a_diagnostic() {
    let Some(sample) = Sample::new(Release::Installed).await else { return };
    sample.write_thing("behaviour = \"panic\"");
    let ended = sample.project.try_apply().await;
    ended.expect_error(&["The provider crashed", "the sample panics as it was told", "with sample_thing.t"]);
    sample.write_thing("");
    sample.project.apply().await;
}

#[tokio::test]
async fn failed_creation_keeps_what_exists() {
    let Some(sample) = Sample::new(Release::Installed).await else { return };
    sample.write_thing("behaviour = \"fail\"");
    let ended = sample.project.try_apply().await;
    ended.expect_error(&["Half done", "behaviour = \"fail\""]);
    assert_eq!(sample.project.state("sample_thing.t").await["revision"], 1);
    // Terraform replaces what was not created to its end.
    sample.write_thing("");
    assert_eq!(sample.project.planned_changes().await, ["sample_thing.t replace"]);
    sample.project.apply().await;
    sample.project.expect_no_changes().await;
}

#[tokio::test]
async fn attribute_that_was_not_set_is_an_error() {
    let Some(sample) = Sample::new(Release::Installed).await else { return };
    sample.write_thing("behaviour = \"forget\"");
    sample.project.try_apply().await.expect_error(&["The provider has not set an attribute"]);
}

#[tokio::test]
async fn timeout_of_the_configuration_is_obeyed() {
    let Some(sample) = Sample::new(Release::Installed).await else { return };
    sample.write_thing("behaviour = \"wait\"\ntimeouts = { create = \"50ms\" }");
    sample.project.apply().await.expect_output(&["Timed out"]);
    sample.project.expect_no_changes().await;
    sample.write_thing("timeouts = { create = \"soon\" }");
    let ended = sample.project.run(&["validate", "-no-color"]).await;
    ended.expect_error(&["Expected a duration such as", "found \"soon\""]);
}
