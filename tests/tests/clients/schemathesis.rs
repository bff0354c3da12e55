//! The API document, checked by schemathesis: it makes well-formed and other requests from `infra/openapi.yaml`, and
//! finds no response that is not documented, and no 5xx.

use std::path::Path;

use imageshare_tests::binaries::binary;
use imageshare_tests::notice::print_notice;
use imageshare_tests::python::{self, CLIENT_TIMEOUT, Release};
use imageshare_tests::server_process::ServerProcess;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

/// The checks of every response.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance";

#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_finds_no_undocumented_response() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Some(python) =
        python::client_python(folder, Path::new(env!("CARGO_TARGET_TMPDIR")), Release::Newest).await
    else {
        return;
    };
    let server = ServerProcess::start(&binary("imageshare"), &["--memory"]).await;
    let token = server.token("own1", "member");
    // With ids that exist, requests get beyond a 404.
    let image = create_image(&server, &token).await;
    let directory = TempDir::new().unwrap();
    let settings = format!(
        "hooks = \"hooks\"\n[parameters]\nimage_id = \"{image}\"\nmember_id = \"mem1\"\n\"path.project_id\" = \"own1\"\n"
    );
    std::fs::write(directory.path().join("schemathesis.toml"), settings).unwrap();

    let mut command = Command::new(python.with_file_name("schemathesis"));
    command
        .arg("run")
        .arg(folder.join("../infra/openapi.yaml"))
        .args(["--url", &format!("http://{}", server.address), "--header", &format!("X-Auth-Token: {token}")])
        .args(["--checks", CHECKS, "--phases", "examples,coverage,fuzzing", "--max-examples", "25"])
        .args(["--generation-deterministic", "--no-color"])
        .current_dir(directory.path())
        .env("PYTHONPATH", folder.join("schemathesis"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NO_PROXY", "127.0.0.1")
        .kill_on_drop(true);
    let ended =
        tokio::time::timeout(CLIENT_TIMEOUT, command.output()).await.expect("in time").expect("a run");
    let output = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success(), "{output}{}", String::from_utf8_lossy(&ended.stderr));
    let passed = output.lines().find(|line| line.contains("generated, ")).expect("a count of requests");
    print_notice(&passed.trim());
}

async fn create_image(server: &ServerProcess, token: &str) -> String {
    let response = reqwest::Client::builder()
        .no_proxy()
        .build()
        .unwrap()
        .post(format!("http://{}/v2/images", server.address))
        .header("X-Auth-Token", token)
        .json(&json!({ "name": "golden" }))
        .send()
        .await
        .unwrap();
    let image: Value = response.json().await.unwrap();
    image["id"].as_str().expect("an id").to_owned()
}
