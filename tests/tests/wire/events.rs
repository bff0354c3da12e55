//! The event bus of `imageshare serve`: events that survive a crash, `imageshare events`, and AWS's own clients.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use imageshare_tests::binaries::binary;
use imageshare_tests::python::{self, CLIENT_TIMEOUT};
use imageshare_tests::server_process::ServerProcess;
use serde_json::{Value, json};
use tempfile::TempDir;

const ACCOUNT: &str = "123456789012";
const TIMEOUT: Duration = Duration::from_mins(1);

/// A server with its data in a directory, where `own1` is bound to an account.
struct Fixture {
    server: ServerProcess,
    directory: TempDir,
}

impl Fixture {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = serve(directory.path()).await;
        let world = Self { server, directory };
        let entry = json!({"account": "acme", "project": "web", "cloud_account": ACCOUNT});
        world.send("PUT", "/v1/tenants/own1", "ops", "admin", Some(&entry)).await;
        world
    }

    /// Sends a request of a project, which has to succeed.
    async fn send(
        &self,
        method: &str,
        target: &str,
        project: &str,
        role: &str,
        body: Option<&Value>,
    ) -> Value {
        let url = format!("http://{}{target}", self.server.address);
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client
            .request(method, url)
            .header("X-Auth-Token", self.server.token(project, role))
            .header("X-Amz-Target", "AWSEvents.PutEvents");
        let request = body.into_iter().fold(request, reqwest::RequestBuilder::json);
        let response = request.send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert!(status.is_success(), "{target}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    async fn put_ami(&self, id: &str) -> Value {
        let detail = json!({"ImageId": id, "State": "available"}).to_string();
        let entry = json!({"Source": "aws.ec2", "DetailType": "EC2 AMI State Change", "Detail": detail});
        self.send("POST", "/events", "own1", "member", Some(&json!({"Entries": [entry]}))).await
    }

    async fn images(&self) -> usize {
        let list = self.send("GET", "/v2/images", "own1", "reader", None).await;
        list["images"].as_array().unwrap().len()
    }

    /// `imageshare events` with these arguments, and its lines.
    fn follow(&self, arguments: &[&str]) -> Follower {
        let mut process = Command::new(binary("imageshare"))
            .args(["events", "--server", &format!("http://{}", self.server.address), "--data"])
            .arg(self.directory.path().join("data"))
            .args(arguments)
            .env_remove("IMAGESHARE_TOKEN")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Follower { process, lines }
    }
}

async fn serve(directory: &Path) -> ServerProcess {
    let data = directory.join("data");
    ServerProcess::start(&binary("imageshare"), &["--data", data.to_str().unwrap()]).await
}

/// A running `imageshare events`, ended when it is dropped.
struct Follower {
    process: Child,
    lines: Receiver<String>,
}

impl Follower {
    /// The next line that contains a text.
    fn line_with(&self, text: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(TIMEOUT).unwrap_or_else(|problem| panic!("{text}: {problem}"));
            if line.contains(text) {
                return line;
            }
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_event_survives_a_crash() {
    let mut world = Fixture::start().await;
    for number in 1..=5 {
        let response = world.put_ami(&format!("ami-{number}")).await;
        assert_eq!(response["FailedEntryCount"], 0, "{response}");
        world.server.kill();
        world.server = serve(world.directory.path()).await;
        assert_eq!(world.images().await, number);
    }
    world.put_ami("ami-1").await;
    assert_eq!(world.images().await, 5, "a repeated event registers nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_followed_live_as_lines_or_json() {
    let world = Fixture::start().await;
    world.put_ami("ami-1").await;
    let lines = world.follow(&["--follow"]);
    lines.line_with("\taws.ec2\tEC2 AMI State Change\t123456789012\t");
    let json = world.follow(&["--follow", "--format", "json", "--source", "imageshare"]);
    json.line_with("Image Registered");
    world.put_ami("ami-2").await;
    lines.line_with("\taws.ec2\t");
    let event: Value = serde_json::from_str(&json.line_with("Image Registered")).unwrap();
    assert_eq!(event["detail"]["audience"], "owner", "{event}");

    let mut all = world.follow(&["--last", "1", "--source", "aws.ec2"]);
    all.line_with("aws.ec2");
    assert!(all.lines.recv_timeout(TIMEOUT).is_err(), "only the last one is printed");
    assert!(all.process.wait().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn following_goes_on_after_a_restart() {
    let mut world = Fixture::start().await;
    let address = world.server.address.clone();
    let lines = world.follow(&["--follow"]);
    world.put_ami("ami-1").await;
    lines.line_with("aws.ec2");
    assert!(world.server.terminate().is_some_and(|code| code == 0), "a waiting reader delays no stop");
    let data = world.directory.path().join("data");
    let arguments = ["--data", data.to_str().unwrap(), "--listen", &address];
    world.server = ServerProcess::start(&binary("imageshare"), &arguments).await;
    world.put_ami("ami-2").await;
    lines.line_with("aws.ec2");
}

/// Runs a client of AWS against a server, with an access key of `own1` in its environment. `arguments` are made from the
/// server's address. Returns the server, and what the client has printed; `None` if the client cannot be installed.
async fn run_client(
    requirements: &str,
    arguments: impl FnOnce(&str) -> Vec<String>,
) -> Option<(Fixture, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let python = python::with_requirements(&folder.join(requirements), target).await;
    let python = python::or_skip("a client of AWS", python)?;
    let world = Fixture::start().await;
    let new = json!({"name": "events"});
    let key = world.send("POST", "/v1/access-keys", "own1", "member", Some(&new)).await;
    let url = format!("http://{}", world.server.address);
    let mut command = tokio::process::Command::new(python);
    command
        .args(arguments(&url))
        .current_dir(folder.join("clients/events"))
        .env("IMAGESHARE_URL", url)
        .env("AWS_ACCESS_KEY_ID", key["id"].as_str().unwrap())
        .env("AWS_SECRET_ACCESS_KEY", key["secret"].as_str().unwrap())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NO_PROXY", "127.0.0.1")
        .kill_on_drop(true);
    let done = tokio::time::timeout(CLIENT_TIMEOUT, command.output()).await.expect("in time").unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(done.status.success(), "{}{}\n{}", text(&done.stdout), text(&done.stderr), world.server.log());
    Some((world, text(&done.stdout)))
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_puts_events() {
    for release in ["clients/events/boto3.txt", "clients/events/boto3-oldest.txt"] {
        let ran = run_client(release, |_| vec!["put_events.py".to_owned()]).await;
        let Some((world, _)) = ran else { return };
        assert_eq!(world.images().await, 3, "{release}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn aws_command_puts_events() {
    let ran = run_client("aws/cli.txt", |url| {
        let entries = json!([{
            "Source": "imageshare.pipeline",
            "DetailType": "Image Registered",
            "Detail": json!({"ami_id": "ami-7", "name": "golden"}).to_string(),
            "Time": "2026-01-01T00:00:00Z",
        }]);
        let command = ["-m", "awscli", "events", "put-events", "--region", "eu-west-1", "--endpoint-url"];
        let command = command.map(str::to_owned).into_iter();
        command.chain([format!("{url}/events"), "--entries".to_owned(), entries.to_string()]).collect()
    });
    let Some((world, printed)) = ran.await else { return };
    assert!(printed.contains("\"FailedEntryCount\": 0"), "{printed}");
    assert_eq!(world.images().await, 1);
}
