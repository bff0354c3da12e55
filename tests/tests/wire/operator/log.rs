//! The log shows which request was refused and why, which pair of a job failed, and which request met a fault of the
//! table.

use imageshare::domain::Timestamp;
use imageshare_tests::binaries::binary;
use imageshare_tests::deployment::Deployment;
use imageshare_tests::events::HttpEvent;
use imageshare_tests::lambda_process::LambdaProcess;
use imageshare_tests::server_process::ServerProcess;
use imageshare_tests::signer::{Signer, UnsignedRequest, WireRequest};
use imageshare_tests::table_server::{Fault, REGION};
use serde_json::{Value, json};

use super::wait_for_line;

async fn start_server() -> ServerProcess {
    ServerProcess::start(&binary("imageshare"), &["--memory", "--limit", "members-per-image=60"]).await
}

async fn send(server: &ServerProcess, wire: &WireRequest) -> (u16, Value) {
    let query = if wire.query.is_empty() { String::new() } else { format!("?{}", wire.query) };
    let url = format!("http://{}{}{query}", server.address, wire.path);
    let request = reqwest::Client::new().request(wire.method.parse().unwrap(), url);
    let response = request.headers(wire.header_map()).body(wire.body.clone()).send().await.unwrap();
    let (status, body) = (response.status().as_u16(), response.bytes().await.unwrap());
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

async fn post(server: &ServerProcess, token: &str, path: &str, body: &Value) -> Value {
    let (status, response) =
        send(server, &UnsignedRequest::new("POST", path).header("X-Auth-Token", token).json(body).to_wire())
            .await;
    assert!((200..300).contains(&status), "{response}");
    response
}

/// An access key of a project.
async fn create_access_key(server: &ServerProcess, project: &str) -> Signer {
    let key = post(server, &server.token(project, "member"), "/v1/access-keys", &json!({"name": "ci"})).await;
    let text = |name: &str| key[name].as_str().unwrap().to_owned();
    Signer { key_id: text("id"), secret: text("secret"), date: Timestamp::now() }
}

/// An id as it is logged.
fn shorten_id(id: &str) -> String {
    format!("{}…{}", &id[..8], &id[id.len() - 4..])
}

#[tokio::test]
async fn rejected_request_is_logged_with_code_reason_and_caller() {
    let server = start_server().await;
    let forged =
        UnsignedRequest::new("GET", "/v2/cloudimages").header("X-Auth-Token", "e30.e30.forged").to_wire();
    assert_eq!(send(&server, &forged).await.0, 401);
    let refused = wait_for_line(&server, "request", &[("status", json!(401))]).await;
    assert_eq!((&refused["code"], &refused["client"]), (&json!("IMG.0087"), &json!("127.0.0.1")));
    assert!(refused["reason"].as_str().unwrap().contains("Malformed token"), "{refused}");
    assert_eq!(refused.get("tenant"), None);

    let token = server.token("own1", "reader");
    let image = json!({"name": "a"});
    let create =
        UnsignedRequest::new("POST", "/v2/images").header("X-Auth-Token", &token).json(image).to_wire();
    assert_eq!(send(&server, &create).await.0, 403);
    let refused = wait_for_line(&server, "request", &[("status", json!(403))]).await;
    assert_eq!((&refused["tenant"], &refused["operation"]), (&json!("own1"), &json!("POST /v2/images")));
    assert!(refused["code"].is_string() && refused["reason"].is_string(), "{refused}");
    assert_eq!((refused.get("path"), refused.get("access_key")), (None, None));
}

#[tokio::test]
async fn request_by_access_key_is_logged_with_a_shortened_id() {
    let server = start_server().await;
    let signer = create_access_key(&server, "own1").await;
    let wrong = Signer { secret: "a-secret-with-a-mistake".to_owned(), ..signer.clone() };
    let list = UnsignedRequest::new("GET", "/v2/cloudimages");
    for (signer, status) in [(&signer, 200), (&wrong, 401)] {
        assert_eq!(send(&server, &signer.sign_access(&list, &[])).await.0, status);
        let expected = [("status", json!(status)), ("operation", json!("GET /v2/cloudimages"))];
        let line = wait_for_line(&server, "request", &expected).await;
        assert_eq!(line["access_key"], shorten_id(&signer.key_id));
    }
    let user = json!({"id": signer.key_id, "password": "wrong"});
    let login = json!({"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}});
    let login = UnsignedRequest::new("POST", "/v3/auth/tokens").json(login).to_wire();
    assert_eq!(send(&server, &login).await.0, 401);
    let line = wait_for_line(&server, "request", &[("operation", json!("POST /v3/auth/tokens"))]).await;
    assert_eq!(line["access_key"], shorten_id(&signer.key_id));
    // What is no id may be a secret in the wrong place.
    let swapped = Signer { key_id: "a-secret-in-place-of-an-id".to_owned(), ..wrong };
    assert_eq!(send(&server, &swapped.sign_access(&list, &[])).await.0, 401);
    assert!(!server.log().contains("in-place-of"));
}

#[tokio::test]
async fn alibaba_action_is_logged_with_its_result() {
    let server = start_server().await;
    let signer = create_access_key(&server, "own1").await;
    let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut query =
        vec![own("Action", "DescribeImages"), own("Version", "2020-09-30"), own("RegionId", "mars")];
    let request = |query: &[(String, String)]| UnsignedRequest {
        query: query.to_vec(),
        ..UnsignedRequest::new("POST", "/")
    };
    let (status, _) = send(&server, &signer.sign_acs3(&request(&query), &[], "nonce-1")).await;
    assert_eq!(status, 404);
    let line = wait_for_line(&server, "request", &[("action", json!("DescribeImages"))]).await;
    assert_eq!((&line["code"], &line["tenant"]), (&json!("InvalidRegionId.NotFound"), &json!("own1")));
    assert_eq!(line["access_key"], shorten_id(&signer.key_id));

    query[0] = own("Action", "NoSuchAction");
    let (status, _) = send(&server, &signer.sign_acs3(&request(&query), &[], "nonce-2")).await;
    assert_eq!(status, 404);
    wait_for_line(
        &server,
        "request",
        &[("action", json!("NoSuchAction")), ("code", json!("InvalidApi.NotFound"))],
    )
    .await;
    // A text that cannot be an action's name is not logged.
    query[0] = own("Action", "a line\nof a log");
    assert!(send(&server, &signer.sign_acs3(&request(&query), &[], "nonce-3")).await.0 >= 400);
    assert!(!server.log().contains("of a log"));
}

#[tokio::test]
async fn unknown_path_is_logged_without_tokens() {
    let server = start_server().await;
    let token = server.token("own1", "member");
    for path in ["/v9/nothing", "/v2.0/tokens/opaque-token/endpoints"] {
        let request = UnsignedRequest::new("GET", path).header("X-Auth-Token", &token).to_wire();
        assert_eq!(send(&server, &request).await.0, 404);
    }
    let line = wait_for_line(&server, "request", &[("path", json!("/v9/nothing"))]).await;
    assert_eq!((&line["operation"], &line["code"]), (&json!("$default"), &json!("IMG.0086")));
    wait_for_line(&server, "request", &[("path", json!("/v2.0/tokens/…/endpoints"))]).await;
    assert!(!server.log().contains("opaque-token"));
}

#[tokio::test]
async fn failed_pair_is_logged_with_its_work_item() {
    let server = start_server().await;
    let token = server.token("own1", "member");
    let mut images = Vec::new();
    for name in ["a", "b", "c"] {
        images.push(post(&server, &token, "/v2/images", &json!({"name": name})).await["id"].clone());
    }
    let share = async |images: &[Value], projects: Vec<String>| {
        let body = json!({"images": images, "projects": projects});
        post(&server, &token, "/v1/cloudimages/members", &body).await["job_id"].clone()
    };
    let projects = |count: u8| (0..count).map(|number| format!("project-{number}")).collect::<Vec<_>>();
    // Sixty recipients are the limit of an image.
    share(&images[..1], projects(60)).await;
    let at_once = share(&images[..1], vec!["one-more".to_owned()]).await;
    let finished = wait_for_line(&server, "job finished", &[("job", at_once)]).await;
    assert_eq!((&finished["pairs"], &finished["failed"]), (&json!(1), &json!(1)));
    let image = images[0].as_str().unwrap();
    assert_eq!(finished["first_failure"], format!("MemberLimit: image {image}, project one-more"));
    assert_eq!(finished["code"], "IMG.0088");

    let queued = share(&images[1..], projects(100)).await;
    let finished = wait_for_line(&server, "work item finished", &[("job", queued)]).await;
    let number = |name: &str| finished[name].as_u64().unwrap();
    assert_eq!(number("failed"), number("pairs") * 40 / 100, "{finished}");
    let first = finished["first_failure"].as_str().unwrap();
    assert!(first.starts_with("MemberLimit: image ") && first.ends_with(", project project-60"), "{first}");
    assert_eq!(finished["code"], "IMG.0088");
}

#[tokio::test]
async fn server_start_is_logged_with_its_settings() {
    let arguments = [
        "--memory",
        "--region",
        "mars",
        "--limit",
        "images-per-tenant=7",
        "--keystone",
        "http://user:password@127.0.0.1:1/identity",
        "--metrics",
        "127.0.0.1:0",
    ];
    let server = ServerProcess::start(&binary("imageshare"), &arguments).await;
    let started = wait_for_line(&server, "started", &[]).await;
    assert_eq!(
        (&started["version"], &started["region"]),
        (&json!(env!("CARGO_PKG_VERSION")), &json!("mars"))
    );
    assert_eq!(started["address"], server.address);
    assert!(started["metrics"].as_str().unwrap().starts_with("127.0.0.1:"));
    assert!(started["data"].is_string() && started["in_memory"] == true);
    assert!(started["limits"].as_str().unwrap().contains("images-per-tenant=7,"));
    assert_eq!(started["issuers"], "imageshare, 127.0.0.1:1/identity");
}

#[tokio::test]
async fn function_start_is_logged_with_its_settings() {
    let deployment = Deployment::start().await;
    for (name, issuers) in [
        (
            "images",
            json!("IMAGESHARE_JWKS, 127.0.0.1:1/identity, iss=https://issuer.example, aud=imageshare"),
        ),
        ("job-worker", Value::Null),
    ] {
        let keystone = ("IMAGESHARE_KEYSTONE_URL", "http://user:password@127.0.0.1:1/identity?q".to_owned());
        let env = deployment.env().into_iter().chain([keystone]);
        let function = LambdaProcess::start(&binary(name), env).await.unwrap();
        let log = function.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let lines: Vec<_> = lines.filter(|line| line["message"] == "started").collect();
        let [started] = lines.as_slice() else { panic!("{log}") };
        assert_eq!(
            (&started["version"], &started["table"]),
            (&json!(env!("CARGO_PKG_VERSION")), &json!("imageshare"))
        );
        assert_eq!(started["region"], REGION);
        assert_eq!(started["directory_complete"], false);
        assert!(started["limits"].as_str().unwrap().contains("images-per-tenant=1000,"), "{started}");
        assert_eq!(started["issuers"], issuers);
        assert!(!log.contains("password"), "{log}");
    }
}

#[tokio::test]
async fn table_failure_is_logged_with_the_request_id() {
    let world = Deployment::start().await;
    let mut function = LambdaProcess::start(&binary("images"), world.env()).await.unwrap();
    world.table_server().fail("Query", Fault::InternalError, 1_000);
    let event =
        HttpEvent::new("GET /v2/cloudimages", "/v2/cloudimages").token(&Deployment::token("own1", "member"));
    let response = function.invoke(&event.build()).await.unwrap();
    let id = response["headers"]["x-request-id"].as_str().unwrap();
    let log = function.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let faults: Vec<_> = lines.filter(|line| line["message"] == "the table failed").collect();
    assert!(!faults.is_empty() && faults.iter().all(|fault| fault["span"]["request_id"] == id), "{log}");
}
