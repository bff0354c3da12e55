//! The log lines of the functions' real binaries are documents of CloudWatch's Embedded Metric Format, small, and without a tenant in
//! a dimension or a secret anywhere.

use std::time::Duration;

use imageshare::domain::{Stamp, Task, Timestamp};
use imageshare_tests::binaries::binary;
use imageshare_tests::deployment::Deployment;
use imageshare_tests::events::{self, HttpEvent};
use imageshare_tests::lambda_process::LambdaProcess;
use imageshare_tests::local_service::{job_at, queue_job, tenant};
use serde_json::{Value, json};

/// The units that CloudWatch knows, of those that a metric here may have.
const UNITS: [&str; 4] = ["Microseconds", "Milliseconds", "Seconds", "Count"];

/// The longest line of a request that succeeds, in bytes. Its size is part of a request's price.
const MAX_LINE_BYTES: usize = 500;

/// Starts a function whose environment has that value of `IMAGESHARE_METRICS_NAMESPACE`.
async fn start(world: &Deployment, function: &str, metrics: &str, level: &str) -> LambdaProcess {
    let mut env = world.env();
    env.extend([("IMAGESHARE_METRICS_NAMESPACE", metrics.to_owned()), ("RUST_LOG", level.to_owned())]);
    let started = LambdaProcess::start(&binary(function), env).await;
    started.unwrap_or_else(|problem| panic!("{function} {problem}"))
}

/// The lines with metrics, each checked against the specification.
fn metric_lines(log: &str) -> Vec<Value> {
    let lines = log.lines().filter(|line| line.contains("\"_aws\""));
    lines
        .map(|line| {
            let document: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
            check_document(&document).unwrap_or_else(|problem| panic!("{problem}: {line}"));
            document
        })
        .collect()
}

/// Checks a document against what the specification of the format demands, and that its only dimension is the
/// function's name.
fn check_document(document: &Value) -> Result<(), &'static str> {
    let metadata = document["_aws"].as_object().ok_or("_aws is no object")?;
    let timestamp = metadata.get("Timestamp").and_then(Value::as_i64).ok_or("no Timestamp")?;
    let age = Timestamp::now().unix_millis() - timestamp;
    // What is older than two weeks or more than two hours ahead is no metric.
    if !(-7_200_000..=1_209_600_000).contains(&age) {
        return Err("a Timestamp that CloudWatch refuses");
    }
    if metadata.len() != 2 {
        return Err("_aws has members that are not specified");
    }
    let directives = metadata.get("CloudWatchMetrics").and_then(Value::as_array).ok_or("no directives")?;
    directives.iter().try_for_each(|directive| check_directive(document, directive))
}

fn check_directive(document: &Value, directive: &Value) -> Result<(), &'static str> {
    if !directive["Namespace"].as_str().is_some_and(|name| (1..=255).contains(&name.len())) {
        return Err("no Namespace");
    }
    let dimension_sets = directive["Dimensions"].as_array().filter(|sets| !sets.is_empty());
    for dimensions in dimension_sets.ok_or("no Dimensions")? {
        for name in dimensions.as_array().ok_or("a dimension set is no list")? {
            if name != "FunctionName" || !document["FunctionName"].is_string() {
                return Err("a dimension other than the function's name, or without a value");
            }
        }
    }
    let metrics = directive["Metrics"].as_array().filter(|metrics| (1..=100).contains(&metrics.len()));
    for metric in metrics.ok_or("no Metrics, or too many")? {
        let name = metric["Name"].as_str().ok_or("a metric without a name")?;
        if !document[name].is_number() {
            return Err("a metric whose value is no number of the root");
        }
        if metric.get("Unit").is_some_and(|unit| !UNITS.iter().any(|known| unit == known)) {
            return Err("a unit that CloudWatch does not know");
        }
    }
    Ok(())
}

/// The names of a line's metrics.
fn names(line: &Value) -> Vec<&str> {
    let metrics = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap();
    metrics.iter().map(|metric| metric["Name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn line_of_a_request_is_a_small_metric_document() {
    const REQUEST: [&str; 4] = ["duration_us", "round_trips", "read_units", "write_units"];
    let world = Deployment::start().await;
    // At this level only the lines with metrics are left.
    let mut images = start(&world, "images", "imageshare", "error").await;
    let project = "0123456789abcdef0123456789abcdef";
    let token = Deployment::token(project, "member");
    let list = HttpEvent::new("GET /v2/cloudimages", "/v2/cloudimages?name=a-query");
    for (token, status) in [(token.as_str(), 200), ("e30.e30.forged-signature", 401)] {
        let response = images.invoke(&list.clone().token(token).build()).await.unwrap();
        assert_eq!(response["statusCode"], status, "{response}");
    }
    let log = images.log();
    let lines = metric_lines(&log);
    assert_eq!((lines.len(), log.lines().count()), (2, 2), "{log}");
    assert_eq!(names(&lines[0]), REQUEST);
    assert_eq!(names(&lines[1]), [&REQUEST[..], &["refused"]].concat());
    let directive = &lines[0]["_aws"]["CloudWatchMetrics"][0];
    assert_eq!((&directive["Namespace"], &directive["Dimensions"]), (&json!("imageshare"), &json!([[]])));
    assert_eq!(
        (&lines[0]["tenant"], &lines[0]["operation"]),
        (&json!(project), &json!("GET /v2/cloudimages"))
    );
    for secret in [token.rsplit_once('.').unwrap().1, "forged-signature", "a-query"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    let size = log.lines().next().unwrap().len();
    println!("the line of a request has {size} bytes");
    assert!(size <= MAX_LINE_BYTES, "{size} bytes: {log}");
}

#[tokio::test]
async fn metrics_by_function_have_its_name_as_dimension() {
    let world = Deployment::start().await;
    let mut share = start(&world, "share", "imageshare,by-function", "info").await;
    let event = HttpEvent::new("GET /nowhere", "/nowhere").build();
    assert_eq!(share.invoke(&event).await.unwrap()["statusCode"], 401);
    let lines = metric_lines(&share.log());
    assert_eq!(lines.len(), 1, "{}", share.log());
    assert_eq!(lines[0]["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["FunctionName"]]));
    assert!(!lines[0]["FunctionName"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn wrong_metrics_setting_is_logged_and_stops_nothing() {
    let world = Deployment::start().await;
    let mut share = start(&world, "share", "AWS/Lambda", "info").await;
    let event = HttpEvent::new("GET /nowhere", "/nowhere").build();
    assert_eq!(share.invoke(&event).await.unwrap()["statusCode"], 401);
    let log = share.log();
    assert!(log.contains("IMAGESHARE_METRICS_NAMESPACE: expected a CloudWatch namespace"), "{log}");
    assert!(!log.contains("_aws") && log.contains("\"status\":401"), "{log}");
}

#[tokio::test]
async fn worker_and_sweep_have_metrics_only_if_there_is_work() {
    let world = Deployment::start().await;
    let mut worker = start(&world, "job-worker", "imageshare", "warn").await;
    worker.invoke(&events::schedule_event()).await.unwrap();
    assert_eq!(metric_lines(&worker.log()).len(), 0, "an idle sweep costs no metric: {}", worker.log());

    let requested = Timestamp::now().minus(Duration::from_mins(10));
    let image = "0191f0a0-0000-7000-8000-000000000001".parse().unwrap();
    let job = job_at(Stamp::first_of(requested), "owner", Task::Share, vec![image], vec![tenant("guest")]);
    queue_job(world.service(), &job).await;
    let swept = worker.invoke(&events::schedule_event()).await.unwrap();
    assert_eq!(swept["carriedOut"], 1, "{swept}");
    worker.invoke(&world.stream_event_for_all_items().await).await.unwrap();

    let lines = metric_lines(&worker.log());
    assert_eq!(lines.len(), 2, "{}", worker.log());
    let work = ["work_items", "failed_work_items"];
    assert_eq!(names(&lines[0]), [&work[..], &["ended_work_items", "oldest_open_work_s"]].concat());
    assert!(lines[0]["oldest_open_work_s"].as_u64().unwrap() >= 600, "{}", lines[0]);
    assert_eq!((names(&lines[1]), &lines[1]["failed_work_items"]), (work.to_vec(), &json!(0)));
}

#[tokio::test]
async fn without_the_setting_no_line_has_metrics() {
    let world = Deployment::start().await;
    let mut images = world.start_function("images").await;
    let event = HttpEvent::new("GET /v2/cloudimages", "/v2/cloudimages").build();
    assert_eq!(images.invoke(&event).await.unwrap()["statusCode"], 401);
    let log = images.log();
    assert!(!log.contains("_aws") && log.contains("\"refused\":1"), "{log}");
}
