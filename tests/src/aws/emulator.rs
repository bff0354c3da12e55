//! The emulator of AWS (`ministack`, from the Python index), which runs Lambda functions as processes and enforces the
//! policies of their roles.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use super::{REGION, SetupError};
use crate::python;

/// How long the emulator may take to listen, however slow the machine: it reads some 90 services.
const START_TIMEOUT: Duration = Duration::from_mins(10);

/// A running emulator with nothing in it. It ends when this is dropped or the test process ends.
pub struct Emulator {
    python: PathBuf,
    scripts: PathBuf,
    port: u16,
    files: TempDir,
    caller: Mutex<Option<Caller>>,
    process: Child,
}

/// The process that makes calls of the emulator's APIs, by AWS's own library.
struct Caller {
    _process: Child,
    calls: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Emulator {
    /// Starts it on a free port of loopback. `tests` is the folder of these tests, `target` where Python environments are
    /// kept.
    ///
    /// # Errors
    /// The emulator cannot be installed.
    pub async fn start(tests: &Path, target: &Path) -> Result<Self, SetupError> {
        let scripts = tests.join("aws");
        let python = python::with_requirements(&scripts.join("requirements.txt"), target).await;
        let python = python.map_err(|problem| SetupError(problem.to_string()))?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port on loopback");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        drop(listener);
        let files = TempDir::new().expect("a temporary directory");
        let log = File::create(files.path().join("log")).expect("a log file");
        let mut command = Command::new(&python);
        command
            .arg(scripts.join("emulator.py"))
            .env("GATEWAY_PORT", port.to_string())
            .env("BIND_HOST", "127.0.0.1")
            .env("MINISTACK_HOST", "127.0.0.1")
            .env("MINISTACK_REGION", REGION)
            // Functions get this address for DynamoDB.
            .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}"))
            // Enforces the policies of roles.
            .env("AUTH", "true")
            .env("IOT_MTLS_ENABLED", "false")
            .env("SFTP_ENABLED", "false")
            .env("TMPDIR", files.path())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("a second handle of the log"))
            .stderr(log);
        let process = command.spawn().unwrap_or_else(|problem| panic!("cannot run {command:?}: {problem}"));
        let mut emulator = Self { python, scripts, port, files, caller: Mutex::new(None), process };
        let listens = timeout(START_TIMEOUT, emulator.wait_until_it_listens()).await.is_ok();
        assert!(listens, "the emulator does not listen after {START_TIMEOUT:?}:\n{}", emulator.log());
        Ok(emulator)
    }

    async fn wait_until_it_listens(&mut self) {
        while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            if let Ok(Some(status)) = self.process.try_wait() {
                panic!("the emulator ended with {status}:\n{}", self.log());
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// The address of all its APIs.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The environment in which SDKs and Terraform's provider use it, and no configuration of the user's.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.url()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_DEFAULT_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("NO_PROXY", "127.0.0.1".to_owned()),
        ]
    }

    /// Makes one call of one of its APIs, named as Python names them: `call("dynamodb", "list_tables", &json!({}))`.
    pub async fn call(&self, service: &str, operation: &str, arguments: &Value) -> Value {
        let mut caller = self.caller.lock().await;
        let answer =
            caller.get_or_insert_with(|| Caller::start(self)).call(service, operation, arguments).await;
        match answer.get("result") {
            Some(result) => result.clone(),
            None => panic!("{service} {operation}: {}\n{}", answer["error"], self.log()),
        }
    }

    /// Makes a role for each policy, and returns temporary credentials of it: name to policy, name to credentials.
    pub async fn create_roles(&self, policies: &Value) -> Value {
        let mut command = Command::new(&self.python);
        command.arg(self.scripts.join("roles.py")).envs(self.environment());
        let mut roles = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("python runs");
        let mut input = roles.stdin.take().expect("a pipe");
        input.write_all(policies.to_string().as_bytes()).await.expect("python reads");
        drop(input);
        let ended = roles.wait_with_output().await.expect("python runs");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{said}\n{}", self.log());
        serde_json::from_slice(&ended.stdout).expect("JSON")
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.files.path().join("log")).unwrap_or_default()
    }
}

impl Caller {
    fn start(emulator: &Emulator) -> Self {
        let mut command = Command::new(&emulator.python);
        command
            .arg(emulator.scripts.join("call.py"))
            .envs(emulator.environment())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut process =
            command.spawn().unwrap_or_else(|problem| panic!("cannot run {command:?}: {problem}"));
        let calls = process.stdin.take().expect("a pipe");
        let answers = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        Self { _process: process, calls, answers }
    }

    async fn call(&mut self, service: &str, operation: &str, arguments: &Value) -> Value {
        let call = format!("{}\n", json!([service, operation, arguments]));
        self.calls.write_all(call.as_bytes()).await.expect("python reads");
        let answer = self.answers.next_line().await.expect("python writes");
        serde_json::from_str(&answer.expect("python still runs")).expect("JSON")
    }
}
