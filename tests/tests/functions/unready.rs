//! Functions whose deployment is wrong: they start, say what is wrong in the log and in `/health`, respond with 503 in the format
//! of each route, and recover without a new deployment if that is possible.

use imageshare_tests::binaries::binary;
use imageshare_tests::deployment::Deployment;
use imageshare_tests::events::{self, HttpEvent};
use imageshare_tests::lambda_process::LambdaProcess;
use imageshare_tests::table_server::Fault;
use serde_json::{Value, json};

use super::{status_and_body, wait_until};

const MEMBERS: &str = "/v1/cloudimages/members";

/// Starts a function with one variable changed, or left out.
async fn start_with(
    world: &Deployment,
    function: &str,
    name: &'static str,
    value: Option<&str>,
) -> LambdaProcess {
    let mut env = world.env();
    env.retain(|(other, _)| *other != name);
    env.extend(value.map(|value| (name, value.to_owned())));
    let started = LambdaProcess::start(&binary(function), env).await;
    started.unwrap_or_else(|problem| panic!("{name}={value:?}: {function} {problem}"))
}

/// The status and message of `GET /health`.
async fn health(documents: &mut LambdaProcess) -> (u64, String) {
    let response = documents.invoke(&HttpEvent::new("GET /health", "/health").build()).await.unwrap();
    let (status, body) = status_and_body(&response);
    (status, body["error"]["message"].as_str().unwrap_or_default().to_owned())
}

/// A share by a member.
fn share_event() -> Value {
    let event =
        HttpEvent::new(&format!("POST {MEMBERS}"), MEMBERS).json(&json!({"images": [], "projects": []}));
    event.token(&Deployment::token("owner", "member")).build()
}

/// The status of a share that is malformed: 400 if the function is ready.
async fn share_status(share: &mut LambdaProcess) -> u64 {
    status_and_body(&share.invoke(&share_event()).await.unwrap()).0
}

#[tokio::test]
async fn invalid_environment_variable_is_reported_by_name() {
    let world = Deployment::start().await;
    let weak = json!({"keys": [{"kty": "oct", "k": "d2VhaydzZWNyZXQ"}]}).to_string();
    for (name, wrong) in [
        ("IMAGESHARE_TABLE", None),
        ("IMAGESHARE_JWKS", None),
        ("IMAGESHARE_JWKS", Some(weak.as_str())),
        ("IMAGESHARE_JWKS", Some("http://keys.example/jwks.json")),
        ("IMAGESHARE_JWKS", Some("ssm:")),
        ("IMAGESHARE_KEYSTONE_URL", Some("keystone")),
        ("IMAGESHARE_CLAIMS", Some("tenant=d2Vhay")),
        ("IMAGESHARE_ISSUER_CA", Some("/nowhere/d2Vhay.pem")),
        ("IMAGESHARE_LIMITS", Some("members-per-image=0")),
        ("IMAGESHARE_LIMITS", Some("members-per-image=5,members-per-image=6")),
        ("IMAGESHARE_DIRECTORY", Some("yes")),
        ("IMAGESHARE_PUBLIC_URL", Some("images.example")),
        ("IMAGESHARE_PUBLIC_URL", Some("https://images.example/v2")),
        ("IMAGESHARE_TABLE", Some("another")),
        ("AWS_ENDPOINT_URL_DYNAMODB", Some("localhost")),
        ("AWS_ENDPOINT_URL_DYNAMODB", Some("http://")),
        ("IMAGESHARE_MASTER_KEYS", Some("a:d2VhaydzZWNyZXQ=")),
        ("IMAGESHARE_MASTER_KEYS", Some("arn:aws:s3:::bucket")),
        ("AWS_REGION", None),
        ("AWS_ACCESS_KEY_ID", None),
    ] {
        let mut share = start_with(&world, "share", name, wrong).await;
        // The table may refuse a call a little later.
        wait_until("share is not ready", async || share_status(&mut share).await == 503).await;
        let response = share.invoke(&share_event()).await.unwrap();
        let (status, body) = status_and_body(&response);
        let message = body["error"]["message"].as_str().unwrap();
        assert_eq!((status, &response["headers"]["retry-after"]), (503, &json!("1")), "{name}: {response}");
        assert!(message.contains("GET /health") && !message.contains("IMAGESHARE"), "{message}");
        let log = share.log();
        let line = log.lines().find(|line| line.contains(r#""level":"ERROR""#)).unwrap_or_default();
        assert!(line.contains(name), "{name}: {log}");
        assert!(!log.contains("d2VhaydzZWNyZXQ"), "{log}");

        let mut documents = start_with(&world, "documents", name, wrong).await;
        wait_until("documents is not ready", async || health(&mut documents).await.0 == 503).await;
        let (status, message) = health(&mut documents).await;
        assert!(status == 503 && message.contains(name), "{name}: {status} {message}");
        assert!(!message.contains("d2Vhay") && !message.contains("members-per-image"), "{message}");
    }
}

#[tokio::test]
async fn unready_function_responds_in_the_format_of_its_route() {
    let world = Deployment::start().await;
    let token = Deployment::token("owner", "member");
    let action = "/?Action=DescribeImages&Version=2014-05-26&Format=JSON";
    for (function, event, code) in [
        ("images", HttpEvent::new("GET /v2/images", "/v2/images").token(&token), "/error/code"),
        ("images", HttpEvent::new("GET /v2", "/v2"), "/error/code"),
        ("images", HttpEvent::without_route("GET", "/nowhere"), "/error/code"),
        ("permission", HttpEvent::new("GET /", action), "/Code"),
        ("permission", HttpEvent::new("GET /", "/"), "/error/code"),
        (
            "identity",
            HttpEvent::new("POST /v3/auth/tokens", "/v3/auth/tokens").json(&json!({})),
            "/error/code",
        ),
        ("identity", HttpEvent::new("GET /v3", "/v3"), "/error/code"),
        ("documents", HttpEvent::new("GET /openapi.json", "/openapi.json"), "/error/code"),
        ("documents", HttpEvent::new("GET /ready", "/ready"), "/error/code"),
    ] {
        let response =
            start_with(&world, function, "IMAGESHARE_TABLE", None).await.invoke(&event.build()).await;
        let response = response.unwrap();
        let (status, body) = status_and_body(&response);
        assert_eq!(status, 503, "{function}: {response}");
        let expected = if code == "/Code" { "ServiceUnavailable" } else { "IMG.006" };
        assert!(body.pointer(code).unwrap().as_str().unwrap().starts_with(expected), "{response}");
    }
}

#[tokio::test]
async fn misconfigured_worker_fails_its_events() {
    let world = Deployment::start().await;
    for (name, wrong) in [("IMAGESHARE_TABLE", None), ("IMAGESHARE_LIMITS", Some("none=0"))] {
        let mut worker = start_with(&world, "job-worker", name, wrong).await;
        for event in [world.stream_event_for_all_items().await, events::schedule_event()] {
            let error = worker.invoke(&event).await.unwrap_err();
            assert!(error["errorMessage"].as_str().unwrap().contains(name), "{error}");
        }
        assert!(worker.log().contains(name), "{}", worker.log());
    }
}

#[tokio::test]
async fn refused_table_is_named_until_it_can_be_used() {
    let world = Deployment::start().await;
    world.table_server().fail("GetItem", Fault::AccessDenied, 10_000);
    let mut share = world.start_function("share").await;
    let mut documents = world.start_function("documents").await;
    let mut worker = world.start_function("job-worker").await;
    wait_until("share is not ready", async || share_status(&mut share).await == 503).await;
    wait_until("health names the table", async || {
        let (status, message) = health(&mut documents).await;
        status == 503 && message.contains("IMAGESHARE_TABLE")
    })
    .await;
    wait_until("the worker names the table", async || {
        let error = worker.invoke(&events::schedule_event()).await.unwrap_err();
        error["errorMessage"].as_str().unwrap().contains("IMAGESHARE_TABLE")
    })
    .await;
    for function in [&share, &documents, &worker] {
        assert!(function.log().contains("AccessDeniedException"), "{}", function.log());
    }

    world.table_server().clear_faults();
    wait_until("health recovers", async || health(&mut documents).await.0 == 200).await;
    wait_until("the worker recovers", async || worker.invoke(&events::schedule_event()).await.is_ok()).await;
    wait_until("share recovers", async || share_status(&mut share).await == 400).await;
}
