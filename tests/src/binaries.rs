//! Finds the workspace's binaries, built from the current sources.
//!
//! `cargo test` builds binaries only for packages with integration tests of their own. The functions have none, so
//! their binaries in the target directory may be missing or old. They are built here, once per test process, which
//! takes a third of a second if nothing has changed.

use std::collections::HashMap;
use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// Returns the path of a binary of the workspace, in the profile of the tests.
pub fn binary(name: &str) -> PathBuf {
    static BINARIES: OnceLock<HashMap<String, PathBuf>> = OnceLock::new();
    let built = BINARIES.get_or_init(build_all);
    let path = built.get(name);
    path.unwrap_or_else(|| panic!("no binary {name:?} in the workspace, only {:?}", built.keys())).clone()
}

fn build_all() -> HashMap<String, PathBuf> {
    build(&["--bins"], "functions")
}

/// Returns the path of a Terraform provider of the workspace, `terraform-provider-NAME`: its own, or the example that is a sample.
/// Nothing else is built.
pub fn provider_binary(name: &str) -> PathBuf {
    static BINARIES: OnceLock<HashMap<String, PathBuf>> = OnceLock::new();
    let targets = ["--bin", "terraform-provider-imageshare", "--example", "terraform-provider-sample"];
    let built = BINARIES.get_or_init(|| build(&targets, "provider"));
    let path = built.get(&format!("terraform-provider-{name}"));
    path.unwrap_or_else(|| panic!("no provider {name:?}, only {:?}", built.keys())).clone()
}

/// A test among the targets enables the features of dev-dependencies, as in the build of this test. Otherwise every crate that they
/// affect would be built a second time.
fn build(targets: &[&str], test: &str) -> HashMap<String, PathBuf> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--workspace", "--message-format=json-render-diagnostics", "--test", test]);
    command.args(targets);
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).stderr(Stdio::inherit());
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    // Build scripts would take the variables that cargo sets for a test for a changed configuration.
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(is_test_variable) {
            command.env_remove(name);
        }
    }
    let output = command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(output.status.success(), "{command:?} failed: build the workspace first");
    let messages = output.stdout.split(|byte| *byte == b'\n');
    messages.filter_map(|line| built_executable(&serde_json::from_slice(line).ok()?)).collect()
}

fn is_test_variable(name: &str) -> bool {
    let prefixes = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_EXE_", "CARGO_TARGET_TMPDIR", "NEXTEST"];
    name == "CARGO" || name == "LD_LIBRARY_PATH" || prefixes.iter().any(|prefix| name.starts_with(prefix))
}

/// Returns the name and path of the binary in a message of cargo.
fn built_executable(message: &Value) -> Option<(String, PathBuf)> {
    let name = message.pointer("/target/name")?.as_str()?;
    let path = message.get("executable")?.as_str()?;
    Some((name.to_owned(), path.into()))
}
