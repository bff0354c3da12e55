//! What real clients make of the errors that an HTTP API words itself.

use imageshare_tests::python::{self, CLIENT_TIMEOUT, Release};
use tokio::process::Command;

use super::{target, tests};

#[tokio::test(flavor = "multi_thread")]
async fn real_clients_show_the_status_of_the_gateways_own_errors() {
    let Some(python) = python::client_python(tests(), target(), Release::Newest).await else { return };
    let mut command = Command::new(python);
    command
        .arg(tests().join("aws/gateway_errors.py"))
        .env("PYTHONWARNINGS", "ignore")
        .env("NO_PROXY", "127.0.0.1");
    let ended = command.env("PYTHONDONTWRITEBYTECODE", "1").kill_on_drop(true).output();
    let ended = tokio::time::timeout(CLIENT_TIMEOUT, ended).await.expect("in time").unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(ended.status.success(), "{}\n{}", text(&ended.stdout), text(&ended.stderr));
}
