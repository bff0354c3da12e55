//! Where the workspace's binaries are, built from the sources as they are now.
//!
//! `cargo test` builds only the binaries of packages that have integration tests of their own, and the functions have
//! none: what lies in the target directory may be missing or old. So they are built here, once per test process; where
//! nothing has changed that costs a good third of a second.

use std::collections::HashMap;
use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// The path of the workspace's binary of that name, in the profile that the tests are built in.
pub fn binary(name: &str) -> PathBuf {
    static BINARIES: OnceLock<HashMap<String, PathBuf>> = OnceLock::new();
    let built = BINARIES.get_or_init(build_all);
    let path = built.get(name);
    path.unwrap_or_else(|| panic!("no binary {name:?} in the workspace, only {:?}", built.keys())).clone()
}

fn build_all() -> HashMap<String, PathBuf> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--workspace", "--bins", "--message-format=json-render-diagnostics"]);
    // With a test among the targets the features of dev-dependencies count, as they did when this test was built.
    // Without, every crate that they reach would be built a second time.
    command.args(["--test", "functions"]);
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).stderr(Stdio::inherit());
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    // What cargo tells a test of itself would look to build scripts like a changed configuration.
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

/// The name and path of the binary that a message of cargo tells of.
fn built_executable(message: &Value) -> Option<(String, PathBuf)> {
    let name = message.pointer("/target/name")?.as_str()?;
    let path = message.get("executable")?.as_str()?;
    Some((name.to_owned(), path.into()))
}
