//! The harness itself: a test of a function must fail only because of the function.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use imageshare::auth::{Authenticator, CredentialError, ExpectedClaims};
use imageshare::domain::{Role, Timestamp};
use imageshare_routes::Document;
use imageshare_tests::binaries::binary;
use imageshare_tests::deployment::{Deployment, TABLE};
use imageshare_tests::events::{self, HttpEvent};
use imageshare_tests::lambda_process::{LambdaProcess, StartError};
use imageshare_tests::python::{self, Release};
use imageshare_tests::runtime_api::{InitState, RuntimeApi};
use imageshare_tests::table_server::TableServer;
use serde_json::{Value, json};

const NO_ENV: [(&str, &str); 0] = [];

fn echo_binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_echo-function"))
}

#[tokio::test]
async fn function_handles_consecutive_events() {
    let mut function = LambdaProcess::start(echo_binary(), NO_ENV).await.unwrap();
    let first = function.invoke(&json!({"n": 1})).await.unwrap();
    let second = function.invoke(&json!({"n": "ü"})).await.unwrap();
    assert_eq!((&first["event"]["n"], &second["event"]["n"]), (&json!(1), &json!("ü")));
    assert_ne!(first["id"], second["id"]);
    assert!(first["deadline"].as_u64().unwrap() > 1_700_000_000_000);
    assert_eq!(function.log(), "started\n");
}

#[tokio::test]
async fn failed_function_handles_the_next_event() {
    let mut function = LambdaProcess::start(echo_binary(), NO_ENV).await.unwrap();
    let error = function.invoke(&json!({"do": "fail"})).await.unwrap_err();
    assert_eq!(error["errorMessage"], "told to fail");
    assert!(function.invoke(&json!({})).await.is_ok());
}

#[tokio::test]
async fn exited_function_is_reported_as_an_error() {
    let mut function = LambdaProcess::start(echo_binary(), NO_ENV).await.unwrap();
    for _ in 0..2 {
        let error = function.invoke(&json!({"do": "end"})).await.unwrap_err();
        assert_eq!(error["errorType"], "Runtime.ExitError");
        assert!(error["errorMessage"].as_str().unwrap().contains('3'), "{error}");
    }
}

#[tokio::test]
async fn function_start_error_contains_the_reason() {
    for (start, stderr) in [("refuse", "told to refuse"), ("panic", "")] {
        match LambdaProcess::start(echo_binary(), [("ECHO_START", start)]).await.map(|_| ()) {
            Err(StartError::Exited { log, status }) => {
                assert!(log.contains(stderr) && !status.success(), "{log}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn function_gets_only_its_own_environment() {
    let mut function = LambdaProcess::start(echo_binary(), [("IMAGESHARE_TABLE", "t")]).await.unwrap();
    let env = function.invoke(&json!({"do": "env"})).await.unwrap();
    let names: Vec<&str> = env.as_object().unwrap().keys().map(String::as_str).collect();
    assert!(names.contains(&"IMAGESHARE_TABLE"));
    assert!(
        names.iter().all(|name| name.starts_with("AWS_LAMBDA_") || *name == "IMAGESHARE_TABLE"),
        "{names:?}"
    );
}

#[tokio::test]
async fn start_time_and_peak_memory_are_measured() {
    let mut function = LambdaProcess::start(echo_binary(), NO_ENV).await.unwrap();
    assert!(function.init_time() > Duration::ZERO);
    assert!(function.peak_resident_bytes() < 50 << 20);
    function.invoke(&json!({"do": "grow"})).await.unwrap();
    assert!(function.peak_resident_bytes() >= 50 << 20);
}

#[tokio::test]
async fn function_is_killed_on_drop() {
    let function = LambdaProcess::start(echo_binary(), NO_ENV).await.unwrap();
    let process = PathBuf::from(format!("/proc/{}", function.process_id()));
    assert!(process.exists());
    drop(function);
    let gone = async {
        while process.exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone).await.unwrap();
}

#[tokio::test]
async fn runtime_api_serves_only_its_own_paths() {
    let api = RuntimeApi::start().await;
    let client = reqwest::Client::new();
    let url = |path: &str| format!("http://{}/2018-06-01/runtime/{path}", api.address());
    let post = |path: &str| client.post(url(path)).body(r#"{"errorMessage":"no"}"#).send();
    assert_eq!(post("invocation/unknown/response").await.unwrap().status(), 400);
    assert_eq!(post("invocation/next").await.unwrap().status(), 404);
    assert_eq!(post("init/error").await.unwrap().status(), 202);
    assert_eq!(api.wait_for_init().await, InitState::Failed(json!({"errorMessage": "no"})));
}

#[tokio::test]
async fn table_server_stores_items_and_checks_conditions() {
    let server = TableServer::start().await;
    let client = server.client();
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let put = || {
        let put = client.put_item().table_name(TABLE).item("pk", text("a")).item("sk", text("A"));
        put.condition_expression("attribute_not_exists(pk)").send()
    };
    assert!(put().await.is_ok());
    assert!(put().await.unwrap_err().into_service_error().is_conditional_check_failed_exception());
    assert_eq!(client.scan().table_name(TABLE).send().await.unwrap().count(), 1);
}

#[tokio::test]
async fn deployment_tokens_are_accepted_by_its_functions() {
    let world = Deployment::start().await;
    let env: HashMap<_, _> = world.env().into_iter().collect();
    let expected = ExpectedClaims {
        issuer: Some(env["IMAGESHARE_ISSUER"].clone()),
        audience: Some(env["IMAGESHARE_AUDIENCE"].clone()),
        ..ExpectedClaims::default()
    };
    let authenticator = Authenticator::from_jwks(&env["IMAGESHARE_JWKS"], expected).unwrap();
    let now = Timestamp::now();
    let store = &world.service().store;
    let token = Deployment::token("p1", "member");
    let caller = authenticator.token_bearer(&token, store, now).await.unwrap().caller;
    assert_eq!((caller.tenant.as_str(), caller.role), ("p1", Role::Member));
    let expired = Deployment::token_with_claims(json!({"project_id": "p1", "roles": ["member"], "exp": 1}));
    let refused = authenticator.token_bearer(&expired, store, now).await;
    assert_eq!(refused, Err(CredentialError::Expired.into()));
}

#[test]
fn function_binaries_are_found() {
    let document = Document::load().unwrap();
    for name in document.functions().into_iter().chain(["imageshare"]) {
        assert!(binary(name).is_file(), "{name}");
    }
}

#[test]
fn http_event_is_parsed_by_lambda_http() {
    let event = HttpEvent::new("GET /v1/{project_id}/jobs/{job_id}", "/v1/p%201/jobs/j?a=1&b=%C3%BC+x&a=2")
        .token(&Deployment::token("p", "member"))
        .header("X-Two", "1")
        .header("x-two", "2")
        .json(&json!({"k": "v"}))
        .build();
    assert_eq!(event["pathParameters"], json!({"project_id": "p 1", "job_id": "j"}));
    assert_eq!(event["queryStringParameters"], json!({"a": "1,2", "b": "ü x"}));
    assert_eq!(event["rawQueryString"], "a=1&b=%C3%BC+x&a=2");
    let request = lambda_http::request::from_str(&event.to_string()).unwrap();
    assert_eq!(request.headers()["x-two"], "1,2");
    assert_eq!(request.body().as_ref(), br#"{"k":"v"}"#);
    let bytes = HttpEvent::new("PUT /", "/").bytes(&[0, 255]).build();
    let request = lambda_http::request::from_str(&bytes.to_string()).unwrap();
    assert_eq!(request.body().as_ref(), &[0, 255]);
}

#[test]
fn stream_and_schedule_events_are_parsed_by_aws_lambda_events() {
    let key = json!({"pk": {"S": "a"}, "sk": {"S": "b"}});
    let records =
        [events::stream_record("INSERT", "100", &key), events::stream_record("REMOVE", "101", &key)];
    let event: aws_lambda_events::event::dynamodb::Event =
        serde_json::from_value(events::stream_event(&records)).unwrap();
    let numbers: Vec<_> = event.records.iter().map(|record| record.change.sequence_number.clone()).collect();
    assert_eq!(numbers, ["100", "101"].map(|number| Some(number.to_owned())));
    let names: Vec<_> = event.records.iter().map(|record| record.event_name.as_str()).collect();
    assert_eq!(names, ["INSERT", "REMOVE"]);
    assert_eq!(events::schedule_event()["source"], Value::from("aws.events"));
}

#[tokio::test]
#[ignore = "the next one runs it, in a process of its own"]
async fn clients_that_cannot_be_installed() {
    let nowhere = Path::new("/nowhere");
    assert_eq!(python::client_python(nowhere, nowhere, Release::Newest).await, None);
}

#[test]
fn skipped_clients_are_reported_and_fail_in_ci() {
    let run = |ci: &str| -> Output {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "--ignored", "harness::clients_that_cannot_be_installed"]).env("CI", ci);
        child.output().unwrap()
    };
    let passed = run("");
    let stderr = String::from_utf8(passed.stderr).unwrap();
    assert!(
        passed.status.success()
            && stderr
                .contains("the real clients did not run: Python packages cannot be installed: No such file"),
        "{stderr}"
    );
    assert!(!run("true").status.success());
}
