//! The checks for a first deployment: against a local server all of them are as expected, and a deployment that answers
//! otherwise is found out.

use std::path::Path;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use imageshare_tests::binaries::binary;
use imageshare_tests::deployment_checks::{CheckResult, check_deployment};
use imageshare_tests::http_server::HttpServer;
use imageshare_tests::server_process::ServerProcess;
use tokio::process::Command;

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a folder of the workspace")
}

#[tokio::test(flavor = "multi_thread")]
async fn local_server_answers_every_check_as_expected() {
    let server = ServerProcess::start(&binary("imageshare"), &["--memory"]).await;
    let url = format!("http://{}", server.address);
    let results =
        check_deployment(workspace(), &url, "checked", &server.token("checked", "member"), &[]).await;
    let others: Vec<&CheckResult> = results.iter().filter(|result| result.verdict != "ok").collect();
    assert!(others.is_empty() && results.len() > 20, "{} checks: {others:?}", results.len());
    let client = reqwest::Client::new();
    for (list, name) in [("/v2/images", "images"), ("/v1/access-keys", "access_keys")] {
        let request = client.get(format!("{url}{list}"));
        let request = request.header("X-Auth-Token", server.token("checked", "member"));
        let body = request.send().await.unwrap().text().await.unwrap();
        let left: serde_json::Value = serde_json::from_str(&body).unwrap();
        let left = left[name].as_array().unwrap();
        assert!(left.iter().all(|item| item["disabled_at"].is_string()), "{left:?} is left of the checks");
    }
}

/// Answers as a gateway that loses everything: the paths, the bodies and the headers of the service.
async fn forgetful_gateway(request: Request<Bytes>) -> Response<Bytes> {
    let is_list = request.uri().path() == "/v2/images";
    let body: &'static [u8] = if is_list { b"{\"images\":[]}" } else { b"{\"message\":\"Not Found\"}" };
    let mut response = Response::new(Bytes::from_static(body));
    *response.status_mut() = if is_list { StatusCode::OK } else { StatusCode::NOT_FOUND };
    response
}

#[tokio::test(flavor = "multi_thread")]
async fn other_answers_are_reported_as_different() {
    let server = HttpServer::start(forgetful_gateway).await;
    let url = format!("http://{}", server.address);
    let results = check_deployment(workspace(), &url, "checked", "token", &[]).await;
    for name in ["health", "unknown_path", "no_token", "register", "stream", "signature", "response_headers"]
    {
        let result = results.iter().find(|result| result.check == name).unwrap();
        assert_eq!(result.verdict, "DIFFERENT", "{result:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_that_cannot_be_made_say_why() {
    let server = ServerProcess::start(&binary("imageshare"), &["--memory"]).await;
    let url = format!("http://{}", server.address);
    for (url, token, expected) in [
        (url.as_str(), "", "IMAGESHARE_TOKEN: put a token of the project there"),
        (url.as_str(), "e30.e30.forged", "IMAGESHARE_TOKEN: the deployment refuses the token: 401"),
        ("http://127.0.0.1:1", "token", "no answer to GET"),
        ("127.0.0.1", "token", "URL: expected http://HOST[:PORT] or https://HOST[:PORT]"),
    ] {
        let mut command = Command::new("python3");
        command.arg(workspace().join("infra/aws/scripts/check-deployment.py")).args(["--project", "p", url]);
        let ended = command.env("IMAGESHARE_TOKEN", token).output().await.unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.code() == Some(2) && said.contains(expected), "{:?}: {said}", ended.status);
    }
}
