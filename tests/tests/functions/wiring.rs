//! The functions' real binaries, run as by Lambda: their wiring, and that they start with little memory. Their
//! responses are tested in process.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use imageshare::domain::{Bypass, JobId, JobStatus, Timestamp};
use imageshare_routes::Document;
use imageshare_tests::binaries::binary;
use imageshare_tests::deployment::{Deployment, TABLE};
use imageshare_tests::events::{self, HttpEvent};
use imageshare_tests::issuer::{Issuer, key_set, sign_token};
use imageshare_tests::lambda_process::LambdaProcess;
use imageshare_tests::signer::{Signer, UnsignedRequest};
use imageshare_tests::table_server::Fault;
use serde_json::{Value, json};

use super::status_and_body;

const MEMBERS: &str = "/v1/cloudimages/members";

/// Asserts the status of a response in API Gateway's form. Returns its JSON body.
#[track_caller]
fn expect_status(response: &Value, status: u64) -> Value {
    let (found, body) = status_and_body(response);
    assert_eq!(found, status, "{response}");
    body
}

/// Registers an image and returns its id.
async fn register_image(images: &mut LambdaProcess, owner: &str) -> String {
    let event = HttpEvent::new("POST /v2/images", "/v2/images").json(&json!({"name": "golden"}));
    let response = images.invoke(&event.token(&Deployment::token(owner, "member")).build()).await.unwrap();
    let (status, image) = status_and_body(&response);
    assert_eq!((status, &image["status"]), (201, &json!("active")), "{response}");
    image["id"].as_str().unwrap().to_owned()
}

/// Reads a path as a project.
async fn get_as_reader(images: &mut LambdaProcess, project: &str, route: &str, target: &str) -> (u64, Value) {
    let event = HttpEvent::new(route, target).token(&Deployment::token(project, "reader"));
    status_and_body(&images.invoke(&event.build()).await.unwrap())
}

/// Makes a batch call, runs the worker, and reads the job.
async fn run_batch_job(world: &Deployment, function: &str, event: HttpEvent, project: &str) -> Value {
    let token = Deployment::token(project, "member");
    let response = world.start_function(function).await.invoke(&event.token(&token).build()).await.unwrap();
    let accepted = expect_status(&response, 200);

    let mut worker = world.start_function("job-worker").await;
    let response = worker.invoke(&world.stream_event_for_all_items().await).await.unwrap();
    assert_eq!(response, json!({"batchItemFailures": []}), "{}", worker.log());

    let target = format!("/v1/{project}/jobs/{}", accepted["job_id"].as_str().unwrap());
    let event = HttpEvent::new("GET /v1/{project_id}/jobs/{job_id}", &target).token(&token).build();
    let response = world.start_function("job-status").await.invoke(&event).await.unwrap();
    expect_status(&response, 200)
}

#[tokio::test]
async fn functions_share_accept_and_unshare_an_image() {
    let world = Deployment::start().await;
    let image = register_image(&mut world.start_function("images").await, "owner").await;
    let batch = json!({"images": [image], "projects": ["guest"]});
    let decision = json!({"images": [image], "project_id": "guest", "status": "accepted"});
    for (function, method, body, project) in [
        ("share", "POST", &batch, "owner"),
        ("respond", "PUT", &decision, "guest"),
        ("unshare", "DELETE", &batch, "owner"),
    ] {
        let event = HttpEvent::new(&format!("{method} {MEMBERS}"), MEMBERS).json(body);
        let job = run_batch_job(&world, function, event, project).await;
        assert_eq!(job["status"], "SUCCESS", "{job}");
        assert_eq!(job["entities"]["results"][0]["image_id"], image.as_str(), "{job}");
    }
}

#[tokio::test]
async fn tenant_from_registry_function_is_usable_by_share_function() {
    let world = Deployment::start().await;
    let image = register_image(&mut world.start_function("images").await, "owner").await;
    let mut registry = world.start_function("registry").await;
    for (tenant, project) in [("guest", "web"), ("guest", "shop"), ("other", "web")] {
        let put = HttpEvent::new("PUT /v1/tenants/{project_id}", &format!("/v1/tenants/{tenant}"))
            .token(&Deployment::token("ops", "admin"))
            .json(&json!({"account": "acme", "project": project}));
        expect_status(&registry.invoke(&put.build()).await.unwrap(), 200);
    }
    let (status, found) =
        get_as_reader(&mut registry, "owner", "GET /v1/tenants", "/v1/tenants?account=acme&project=shop")
            .await;
    assert_eq!((status, &found["tenants"][0]["project_id"]), (200, &json!("guest")), "{found}");
    let body = json!({"images": [image], "accounts": [{"name": "acme", "project": "shop"}]});
    let event = HttpEvent::new(&format!("POST {MEMBERS}"), MEMBERS).json(&body);
    let job = run_batch_job(&world, "share", event, "owner").await;
    assert_eq!(job["entities"]["results"][0]["project_id"], "guest", "{job}");
    let delete = HttpEvent::new("DELETE /v1/tenants/{project_id}", "/v1/tenants/guest");
    let delete = delete.token(&Deployment::token("ops", "admin")).build();
    expect_status(&registry.invoke(&delete).await.unwrap(), 204);
}

#[tokio::test]
async fn functions_add_update_and_remove_a_member() {
    let world = Deployment::start().await;
    let image = register_image(&mut world.start_function("images").await, "owner").await;
    let members = format!("/v2/images/{image}/members");
    let member = format!("{members}/guest");
    for (function, method, target, body, project, status) in [
        ("share", "POST", &members, json!({"member": "guest"}), "owner", 200),
        ("respond", "PUT", &member, json!({"status": "accepted"}), "guest", 200),
        ("unshare", "DELETE", &member, Value::Null, "owner", 204),
    ] {
        let route = target.replace(&image, "{image_id}").replace("guest", "{member_id}");
        let event =
            HttpEvent::new(&format!("{method} {route}"), target).token(&Deployment::token(project, "member"));
        let event = if body.is_null() { event } else { event.json(&body) };
        let response = world.start_function(function).await.invoke(&event.build()).await.unwrap();
        expect_status(&response, status);
    }
}

#[tokio::test]
async fn version_links_use_the_public_url() {
    let world = Deployment::start().await;
    let mut env = world.env();
    env.push(("IMAGESHARE_PUBLIC_URL", "https://images.example".to_owned()));
    let Ok(mut images) = LambdaProcess::start(&binary("images"), env).await else { panic!("images") };
    let response = images.invoke(&HttpEvent::new("GET /", "/").build()).await.unwrap();
    let (status, body) = status_and_body(&response);
    assert_eq!(
        (status, &body["versions"][0]["links"][0]["href"]),
        (300, &json!("https://images.example/v2/"))
    );
}

#[tokio::test]
async fn pending_image_is_visible_to_owner_and_recipient_only() {
    const SHOW: &str = "GET /v2/images/{image_id}";
    let world = Deployment::start().await;
    let mut images = world.start_function("images").await;
    let image = register_image(&mut images, "owner").await;
    let target = format!("/v2/images/{image}");
    assert_eq!(get_as_reader(&mut images, "guest", SHOW, &target).await.0, 404);

    let batch = json!({"images": [image], "projects": ["guest"]});
    let event = HttpEvent::new(&format!("POST {MEMBERS}"), MEMBERS).json(&batch);
    run_batch_job(&world, "share", event, "owner").await;
    for (project, pending, shown) in [("guest", 1, 200), ("owner", 0, 200), ("stranger", 0, 404)] {
        let list = "/v2/cloudimages?visibility=shared&member_status=pending";
        let (_, list) = get_as_reader(&mut images, project, "GET /v2/cloudimages", list).await;
        let list = list["images"].as_array().unwrap();
        assert_eq!(list.len(), pending, "{project}: {list:?}");
        assert!(list.iter().all(|listed| listed["id"] == *image), "{list:?}");
        assert_eq!(get_as_reader(&mut images, project, SHOW, &target).await.0, shown, "{project}");
    }
}

#[tokio::test]
async fn function_loads_jwks_from_url_and_asks_keystone() {
    let (world, keys, keystone) = (Deployment::start().await, Issuer::start().await, Issuer::start().await);
    let mut env = world.env();
    let env_value = |wanted: &str| env.iter().find(|(name, _)| *name == wanted).unwrap().1.clone();
    let exp = Timestamp::now().unix_seconds() + 300;
    let claims = json!({"project_id": "p1", "roles": ["member"], "exp": exp, "iss": env_value("IMAGESHARE_ISSUER"),
        "aud": env_value("IMAGESHARE_AUDIENCE")});
    keys.set_response(200, key_set(&["one"]));
    keystone.set_response(
        200,
        json!({"token": {"expires_at": "2099-01-01T00:00:00.000000Z", "project": {"id": "p2"}, "roles": [{"name": "member"}]}}),
    );
    env.retain(|(name, _)| *name != "IMAGESHARE_JWKS");
    env.extend([("IMAGESHARE_JWKS", keys.url()), ("IMAGESHARE_KEYSTONE_URL", keystone.url())]);
    let mut images = LambdaProcess::start(&binary("images"), env).await.unwrap();
    assert_eq!(keys.take_requests().len(), 1, "before the first request needs them");
    for (token, owner) in [(sign_token("one", &claims), "p1"), ("gAAAAAB-opaque".to_owned(), "p2")] {
        let event = HttpEvent::new("POST /v2/images", "/v2/images").json(&json!({})).token(&token);
        let (status, image) = status_and_body(&images.invoke(&event.build()).await.unwrap());
        assert_eq!((status, &image["owner"]), (201, &json!(owner)), "{image}");
    }
    assert!(!images.log().contains("opaque"), "{}", images.log());
}

#[tokio::test]
async fn access_key_from_one_function_works_in_another() {
    let world = Deployment::start().await;
    let new = HttpEvent::new("POST /v1/access-keys", "/v1/access-keys").json(&json!({"name": "ci"}));
    let new = new.token(&Deployment::token("owner", "member")).build();
    let key = expect_status(&world.start_function("identity").await.invoke(&new).await.unwrap(), 201);
    let text = |name: &str| key[name].as_str().unwrap().to_owned();
    let signer = Signer { key_id: text("id"), secret: text("secret"), date: Timestamp::now() };

    let mut images = world.start_function("images").await;
    let body = json!({"name": "golden"}).to_string();
    let request = UnsignedRequest::new("POST", "/v2/images").json(&body);
    for wire in [signer.sign_access(&request, &["host"]), signer.sign_credential(&request, &["host"], "", "")]
    {
        let event = HttpEvent::new("POST /v2/images", "/v2/images").text(&body);
        let headers = wire.headers.iter().filter(|(name, _)| name != "Host");
        let event = headers.fold(event, |event, (name, value)| event.header(name, value));
        let (status, image) = status_and_body(&images.invoke(&event.build()).await.unwrap());
        assert_eq!((status, &image["owner"]), (201, &json!("owner")), "{image}");
        let other = event.text(&body.replace("golden", "silver")).build();
        expect_status(&images.invoke(&other).await.unwrap(), 401);
    }
}

#[tokio::test]
async fn killed_worker_is_resumed_exactly_once() {
    let world = Deployment::start().await;
    let mut images = world.start_function("images").await;
    let mut batch = json!({"images": [], "projects": []});
    for number in 0..10 {
        batch["images"].as_array_mut().unwrap().push(register_image(&mut images, "owner").await.into());
        for half in ["a", "b"] {
            batch["projects"].as_array_mut().unwrap().push(format!("guest-{number}{half}").into());
        }
    }
    let event = HttpEvent::new(&format!("POST {MEMBERS}"), MEMBERS).json(&batch);
    let event = event.token(&Deployment::token("owner", "member")).build();
    let (_, accepted) = status_and_body(&world.start_function("share").await.invoke(&event).await.unwrap());
    let id: JobId = accepted["job_id"].as_str().unwrap().parse().unwrap();
    let report = async || world.service().store.report(id).await.unwrap().unwrap().bypass(Bypass::Test);
    assert_eq!((report().await.work_items.len(), report().await.job.pair_count()), (1, 200));

    world.table_server().stall_after(2);
    let event = world.stream_event_for_all_items().await;
    let mut first = world.start_function("job-worker").await;
    let half_done = async {
        while report().await.done_count() < 100 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        response = first.invoke(&event) => panic!("{response:?}: {}", first.log()),
        () = half_done => {}
    }
    first.kill().await;
    world.table_server().resume();
    assert_eq!(report().await.status(), JobStatus::Running);

    let mut second = world.start_function("job-worker").await;
    assert_eq!(second.invoke(&event).await, Ok(json!({"batchItemFailures": []})), "{}", second.log());
    assert_eq!((report().await.status(), report().await.outcomes().count()), (JobStatus::Success, 200));
    for image in batch["images"].as_array().unwrap() {
        let image = image.as_str().unwrap().parse().unwrap();
        let head = world.service().store.head(&image).await.unwrap().unwrap();
        assert_eq!(head.bypass(Bypass::Test).member_count, 20);
    }
    let items = world.table_server().client().scan().table_name(TABLE).into_paginator().items().send();
    let items = items.collect::<Result<Vec<_>, _>>().await.unwrap();
    let memberships: Vec<_> = items.iter().filter(|item| item.contains_key("membership")).collect();
    assert_eq!(memberships.len(), 200);
    let once = AttributeValue::S("1".to_owned());
    assert!(memberships.iter().all(|membership| membership["rev"] == once), "{memberships:?}");
}

/// Makes a request for which a function has no route, with a token and with others. Returns the status of the latter.
async fn call_nowhere(function: &mut LambdaProcess, token: &str) -> u16 {
    let event = HttpEvent::new("GET /nowhere", "/nowhere");
    let (status, error) =
        status_and_body(&function.invoke(&event.clone().token(token).build()).await.unwrap());
    assert_eq!((status, &error["error"]["title"]), (404, &json!("Not Found")), "{error}");
    for refused in [event.clone(), event.token(&format!("{token}x"))] {
        let (status, error) = status_and_body(&function.invoke(&refused.build()).await.unwrap());
        assert_eq!((status, &error["error"]["title"]), (401, &json!("Unauthorized")), "{error}");
    }
    401
}

/// Opens a page of the console in a session, and with a token that is not accepted. Returns the status of the latter.
async fn visit_console(function: &mut LambdaProcess, token: &str) -> u16 {
    let event = HttpEvent::new("GET /console/{page+}", "/console/images");
    for (token, expected) in [(token.to_owned(), 200), (format!("{token}x"), 303)] {
        let visit = event.clone().header("cookie", &format!("__Host-imageshare={token}"));
        let response = function.invoke(&visit.build()).await.unwrap();
        assert_eq!(response["statusCode"], expected, "{response}");
    }
    303
}

#[tokio::test]
async fn functions_stay_small_and_log_no_token() {
    let world = Deployment::start().await;
    let token = Deployment::token("p1", "member");
    for name in Document::load().unwrap().http_functions() {
        let mut function = world.start_function(name).await;
        let refused = if name == "console" {
            visit_console(&mut function, &token).await
        } else {
            call_nowhere(&mut function, &token).await
        };
        let log = function.log();
        assert!(
            log.contains(&format!(r#""status":{refused}"#)) && !log.contains(&token[..20]),
            "{name}: {log}"
        );
        let peak = function.peak_resident_bytes();
        assert!(peak < 40 << 20, "{name} needs {peak} bytes");
        println!("{name}: requests events after {:?}, {} KiB resident", function.init_time(), peak >> 10);
    }
}

#[tokio::test]
async fn worker_reports_unknown_event_and_handles_the_next() {
    let world = Deployment::start().await;
    let mut worker = world.start_function("job-worker").await;
    let error = worker.invoke(&json!({"a": 1})).await.unwrap_err();
    assert!(error["errorMessage"].as_str().unwrap().contains("event"), "{error}");
    let swept = worker.invoke(&events::schedule_event()).await.unwrap();
    assert_eq!(swept, json!({"carriedOut": 0, "givenUp": 0, "left": 0, "unlistedShards": 0}));
    println!(
        "job-worker: requests events after {:?}, {} KiB resident",
        worker.init_time(),
        worker.peak_resident_bytes() >> 10
    );
}

/// Starts a function, and asserts that it did not wait for what does not respond.
async fn start_without_waiting(name: &str, env: Vec<(&'static str, String)>) -> LambdaProcess {
    let function = LambdaProcess::start(&binary(name), env).await;
    let function = function.unwrap_or_else(|problem| panic!("{name} {problem}"));
    assert!(function.log().contains("has not responded yet"), "{}", function.log());
    function
}

#[tokio::test]
async fn function_returns_503_while_table_is_silent_and_recovers() {
    let world = Deployment::start().await;
    for read in ["GetItem", "BatchGetItem", "Query"] {
        world.table_server().fail(read, Fault::NoResponse, 1_000);
    }
    let mut images = start_without_waiting("images", world.env()).await;
    let mut worker = start_without_waiting("job-worker", world.env()).await;
    let show = HttpEvent::new("GET /v2/images/{image_id}", "/v2/images/unknown");
    let show = show.token(&Deployment::token("owner", "reader")).build();
    let response = images.invoke_within(&show, Duration::from_secs(2)).await.unwrap();
    expect_status(&response, 503);
    assert_eq!(response["headers"]["retry-after"], "1", "{response}");
    world.table_server().clear_faults();
    expect_status(&images.invoke(&show).await.unwrap(), 404);
    let swept = worker.invoke(&events::schedule_event()).await.unwrap();
    assert_eq!(swept["left"], 0, "{swept}");
}

#[tokio::test]
async fn function_starts_without_jwks_and_table() {
    let world = Deployment::start().await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    world.table_server().fail("GetItem", Fault::NoResponse, 1_000);
    let mut env = world.env();
    env.retain(|(name, _)| *name != "IMAGESHARE_JWKS");
    env.push(("IMAGESHARE_JWKS", format!("http://{}/", silent.local_addr().unwrap())));
    let mut images = start_without_waiting("images", env).await;
    let list = HttpEvent::new("GET /v2/images", "/v2/images").token(&Deployment::token("owner", "reader"));
    let response = images.invoke(&list.build()).await.unwrap();
    expect_status(&response, 503);
    assert_eq!(response["headers"]["retry-after"], "1", "{response}");
}
