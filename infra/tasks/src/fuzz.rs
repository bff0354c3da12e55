//! The fuzz targets of `tests/fuzz`, run by `cargo fuzz`.

use std::error::Error;
use std::fs;

use crate::{TaskResult, command, run as run_command, workspace};

/// The default duration of a target's run, in seconds.
const DEFAULT_SECONDS: &str = "600";

/// Runs one target, or each in turn, from its corpus. New inputs that it finds go to `target/fuzz`.
///
/// # Errors
/// `cargo fuzz` is not installed, there is no such target, or an input makes a target fail.
pub(crate) fn run(arguments: &[String]) -> TaskResult {
    let targets = targets()?;
    let (target, seconds) = (arguments.first(), arguments.get(1).map_or(DEFAULT_SECONDS, String::as_str));
    if let Some(target) = target
        && !targets.contains(target)
    {
        return Err(format!("there is no target {target}; the targets are {}", targets.join(", ")).into());
    }
    if !command("cargo").args(["fuzz", "--version"]).output()?.status.success() {
        return Err("cargo fuzz is missing: cargo install cargo-fuzz --locked".into());
    }
    for target in targets.iter().filter(|name| target.is_none_or(|target| target == *name)) {
        run_target(target, seconds)?;
    }
    Ok(())
}

/// Lists the targets: the programs of `tests/fuzz/fuzz_targets`.
fn targets() -> Result<Vec<String>, Box<dyn Error>> {
    let mut targets = Vec::new();
    for file in fs::read_dir(workspace().join("tests/fuzz/fuzz_targets"))? {
        targets.extend(file?.path().file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    targets.sort();
    Ok(targets)
}

fn run_target(target: &str, seconds: &str) -> TaskResult {
    let new_inputs = format!("target/fuzz/{target}");
    fs::create_dir_all(workspace().join(&new_inputs))?;
    // These targets take no requests but short texts: tokens, queries, events.
    let dictionary = match target {
        "decoders" | "events" | "tokens" => "texts",
        "image-events" => "image-events",
        _ => "requests",
    };
    let max_len = if target == "markers" { 512 } else { 2048 };
    // The code has no `unsafe`, so it needs no sanitizer. The stable compiler then suffices: with `RUSTC_BOOTSTRAP` it
    // accepts the flags of the instrumentation.
    let mut fuzz = command("cargo");
    fuzz.env("RUSTC_BOOTSTRAP", "1");
    fuzz.args(["fuzz", "run", "--fuzz-dir", "tests/fuzz", "-s", "none", target, &new_inputs]);
    fuzz.arg(format!("tests/fuzz/corpus/{target}")).arg("--");
    fuzz.arg(format!("-dict=tests/fuzz/dictionaries/{dictionary}.dict"));
    fuzz.args([&format!("-max_total_time={seconds}"), &format!("-max_len={max_len}"), "-timeout=10"]);
    run_command(&mut fuzz)
}
