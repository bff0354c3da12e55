//! The release binary, built and run as a user would.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use imageshare_tests::server_process::ServerProcess;
use tempfile::TempDir;

/// Builds the binary `imageshare` in release mode, with the repository's lock file.
pub fn build_release() {
    let built = Command::new(env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
        .args(["build", "--release", "--quiet", "--bin", "imageshare"])
        .current_dir(workspace_root())
        .stdin(Stdio::null())
        .status();
    assert!(built.is_ok_and(|status| status.success()), "cargo build --release --bin imageshare failed");
}

fn workspace_root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn release_binary() -> PathBuf {
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace_root().join("target"), PathBuf::from);
    target.join("release/imageshare")
}

const LIMIT_ARGUMENTS: [&str; 10] = [
    "--limit",
    "members-per-image=5000",
    "--limit",
    "images-per-tenant=1000000",
    "--limit",
    "pending-per-tenant=1000000",
    "--limit",
    "pending-per-owner=1000000",
    "--limit",
    "read-units-per-second=1000000",
];

/// A server with its table in memory.
pub async fn start_in_memory() -> ServerProcess {
    ServerProcess::start(&release_binary(), &[&["--memory"], &LIMIT_ARGUMENTS[..]].concat()).await
}

/// A server with its table on disk in a new directory, and that directory.
pub async fn start_on_disk() -> (ServerProcess, TempDir) {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().to_str().expect("a plain path").to_owned();
    (
        ServerProcess::start(&release_binary(), &[&["--data", &path], &LIMIT_ARGUMENTS[..]].concat()).await,
        directory,
    )
}
