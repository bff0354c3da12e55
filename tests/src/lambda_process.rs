//! A function's real binary, run as Lambda runs it: by the Runtime API, with nothing but the environment it is given.

use std::fs;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::runtime_api::{INVOCATION_TIMEOUT, InitState, InvocationResult, RuntimeApi};

/// Lambda gives a function this long to ask for its first event.
const INIT_TIMEOUT: Duration = Duration::from_secs(10);

/// A running function. Killed when it is dropped.
pub struct LambdaProcess {
    api: RuntimeApi,
    child: Child,
    log: NamedTempFile,
    init_time: Duration,
}

/// Why a function did not come so far as to ask for an event.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The process ended by itself.
    #[error("ended with {status} before it asked for an event; it wrote:\n{log}")]
    Exited {
        /// How it ended.
        status: ExitStatus,
        /// What it wrote to its output.
        log: String,
    },
    /// The process reported that it cannot start.
    #[error("reported {report}; it wrote:\n{log}")]
    InitFailed {
        /// What it told the Runtime API.
        report: Value,
        /// What it wrote to its output.
        log: String,
    },
    /// The process did nothing for too long.
    #[error("asked for no event within {INIT_TIMEOUT:?}; it wrote:\n{log}")]
    TimedOut {
        /// What it wrote to its output.
        log: String,
    },
}

impl LambdaProcess {
    /// Starts the binary with exactly those environment variables and Lambda's own.
    ///
    /// # Errors
    /// The function did not ask for an event.
    pub async fn start<K, V>(binary: &Path, env: impl IntoIterator<Item = (K, V)>) -> Result<Self, StartError>
    where
        K: AsRef<std::ffi::OsStr>,
        V: AsRef<std::ffi::OsStr>,
    {
        let api = RuntimeApi::start().await;
        let log = NamedTempFile::new().expect("a temporary file");
        let output = || Stdio::from(log.as_file().try_clone().expect("a second handle of the file"));
        let mut command = Command::new(binary);
        command
            .env_clear()
            .envs(env)
            .env("AWS_LAMBDA_RUNTIME_API", api.address().to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "under-test")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .stdin(Stdio::null())
            .stdout(output())
            .stderr(output())
            .kill_on_drop(true);
        let started = Instant::now();
        let mut child =
            command.spawn().unwrap_or_else(|error| panic!("cannot run {}: {error}", binary.display()));
        let init = tokio::select! {
            // What the process said counts, even if it ended right after.
            biased;
            init = timeout(INIT_TIMEOUT, api.wait_for_init()) => init,
            status = child.wait() => {
                let status = status.expect("a child can be waited for");
                return Err(StartError::Exited { status, log: read_log(&log) });
            }
        };
        match init {
            Ok(InitState::Done(asked)) => {
                Ok(Self { api, child, log, init_time: asked.duration_since(started) })
            }
            Ok(InitState::Failed(report)) => Err(StartError::InitFailed { report, log: read_log(&log) }),
            Ok(InitState::Running) | Err(_) => Err(StartError::TimedOut { log: read_log(&log) }),
        }
    }

    /// Has the function handle one event. An error is what the function reported, or what Lambda would report where
    /// the function ended or took too long.
    pub async fn invoke(&mut self, event: &Value) -> InvocationResult {
        self.invoke_within(event, INVOCATION_TIMEOUT).await
    }

    /// The same, within that time: what the function sees as its deadline.
    pub async fn invoke_within(&mut self, event: &Value, time: Duration) -> InvocationResult {
        tokio::select! {
            biased;
            outcome = timeout(time, self.api.invoke(event, time)) => outcome.unwrap_or_else(|_| {
                Err(json!({"errorType": "Sandbox.Timedout", "errorMessage": format!("no answer; it wrote:\n{}", read_log(&self.log))}))
            }),
            status = self.child.wait() => {
                let status = status.expect("a child can be waited for");
                Err(json!({"errorType": "Runtime.ExitError", "errorMessage": format!("{status}; it wrote:\n{}", read_log(&self.log))}))
            }
        }
    }

    /// The time from the start of the process to its first request for an event.
    pub fn init_time(&self) -> Duration {
        self.init_time
    }

    /// The process's id.
    pub fn process_id(&self) -> u32 {
        self.child.id().expect("the process still runs")
    }

    /// The most memory that the process has had resident so far, in bytes.
    pub fn peak_resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process_id()))
            .expect("the process still runs");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        peak.and_then(|kilobytes| kilobytes.parse::<u64>().ok()).expect("Linux states VmHWM in kB") * 1024
    }

    /// Everything that the function has written to its output so far.
    pub fn log(&self) -> String {
        read_log(&self.log)
    }

    /// Kills the process at once, as a machine that fails would.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("our own child can be killed");
    }
}

fn read_log(log: &NamedTempFile) -> String {
    String::from_utf8_lossy(&fs::read(log.path()).expect("our own file can be read")).into_owned()
}
