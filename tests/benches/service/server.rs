//! The release binary, built and run as a user would.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use imageshare_tests::server_process::ServerProcess;
use tempfile::TempDir;

/// Builds the binary `imageshare` in release mode, with the repository's lock file.
pub fn build_release() {
    build("imageshare");
}

/// Builds the Terraform provider in the same way, and returns its path.
pub fn build_release_provider() -> PathBuf {
    build("terraform-provider-imageshare");
    release_binary("terraform-provider-imageshare")
}

fn build(binary: &str) {
    let built = Command::new(env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
        .args(["build", "--release", "--quiet", "--bin", binary])
        .current_dir(workspace_root())
        .stdin(Stdio::null())
        .status();
    assert!(built.is_ok_and(|status| status.success()), "cargo build --release --bin {binary} failed");
}

fn workspace_root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn release_binary(name: &str) -> PathBuf {
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace_root().join("target"), PathBuf::from);
    target.join("release").join(name)
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
    ServerProcess::start(&release_binary("imageshare"), &[&["--memory"], &LIMIT_ARGUMENTS[..]].concat()).await
}

/// A server with its table in memory that publishes metrics.
pub async fn start_with_metrics() -> ServerProcess {
    let own: &[&str] = &["--memory", "--metrics", "127.0.0.1:0"];
    ServerProcess::start(&release_binary("imageshare"), &[own, &LIMIT_ARGUMENTS[..]].concat()).await
}

/// A server with its table on disk in a new directory, and that directory.
pub async fn start_on_disk() -> (ServerProcess, TempDir) {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().to_str().expect("a plain path").to_owned();
    (
        ServerProcess::start(
            &release_binary("imageshare"),
            &[&["--data", &path], &LIMIT_ARGUMENTS[..]].concat(),
        )
        .await,
        directory,
    )
}
