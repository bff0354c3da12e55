//! The console in a real browser: the scripts of `console/` drive Chromium through a running `imageshare serve`. The packages that
//! they need are installed from npm's index (`console/package-lock.json`). Without Node, npm or Chromium the test prints why
//! and is skipped; in CI it fails.
//!
//! `CONSOLE_TESTS` limits the run to the file with that name, without `.test.mjs`. With `UPDATE_SNAPSHOTS=1` the picture of the
//! README is made again.

use std::env;
use std::path::Path;
use std::time::Duration;

use imageshare_local::TABLE;
use imageshare_tests::binaries::binary;
use imageshare_tests::browser::{find_chromium, install_packages};
use imageshare_tests::python::or_skip;
use imageshare_tests::server_process::ServerProcess;
use imageshare_tests::table_server::{Fault, TableServer};
use tokio::process::Command;

/// However slow the machine.
const TIMEOUT: Duration = Duration::from_mins(30);

/// More reads of each kind than the tests make of the table that fails.
const FAULTS: usize = 10_000;

/// Starts a server with the keys in a directory, whose table answers no read once it has started.
async fn start_failing_server(binary: &Path, keys: &str, table: &TableServer) -> ServerProcess {
    let endpoint = table.endpoint();
    let arguments = ["--table", TABLE, "--endpoint-url", &endpoint, "--keys", keys];
    let environment = [
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("AWS_REGION", "eu-west-1".to_owned()),
    ];
    let server = ServerProcess::start_with_env(binary, &arguments, environment.to_vec()).await;
    for operation in ["GetItem", "BatchGetItem", "Query"] {
        table.fail(operation, Fault::InternalError, FAULTS);
    }
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn console_works_in_a_browser() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("console");
    let packages = install_packages(&folder, Path::new(env!("CARGO_TARGET_TMPDIR"))).await;
    let found = packages.and_then(|packages| Ok((packages, find_chromium()?)));
    let Some((packages, chromium)) = or_skip("the console's browser", found) else { return };
    let binary = binary("imageshare");
    let server = ServerProcess::start(&binary, &["--memory", "--region", "eu-de"]).await;
    let table = TableServer::start().await;
    let failing = start_failing_server(&binary, server.data_directory(), &table).await;
    let mut command = Command::new("node");
    let only = env::var("CONSOLE_TESTS").map(|name| format!("{name}.test.mjs"));
    command
        .args(["--test", "--test-reporter", "spec"])
        .args(only.ok())
        .current_dir(&folder)
        .env("CONSOLE_URL", format!("http://{}", server.address))
        .env("CONSOLE_FAILING_URL", format!("http://{}", failing.address))
        .env("CONSOLE_PACKAGES", packages)
        .env("CONSOLE_CHROMIUM", chromium)
        .env("IMAGESHARE", binary)
        .env("IMAGESHARE_DATA", server.data_directory())
        .env("NO_PROXY", "127.0.0.1")
        .kill_on_drop(true);
    let ended = tokio::time::timeout(TIMEOUT, command.output()).await.expect("in time").expect("node");
    assert!(
        ended.status.success(),
        "{}\n{}{}\nthe server's log:\n{}",
        ended.status,
        String::from_utf8_lossy(&ended.stdout),
        String::from_utf8_lossy(&ended.stderr),
        server.log()
    );
}
