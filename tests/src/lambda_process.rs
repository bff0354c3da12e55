//! Runs a function's binary as Lambda does: through the Runtime API, with only the environment it is given.

use std::fs;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::runtime_api::{INVOCATION_TIMEOUT, InitState, InvocationResult, RuntimeApi};

/// Lambda's limit for the initialisation of a function.
const INIT_TIMEOUT: Duration = Duration::from_secs(10);

/// A running function, killed when it is dropped.
pub struct LambdaProcess {
    api: RuntimeApi,
    child: Child,
    log: NamedTempFile,
    init_time: Duration,
}

/// Why a function never requested an event.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The process ended.
    #[error("ended with {status} before it requested an event; its output:\n{log}")]
    Exited {
        /// Its exit status.
        status: ExitStatus,
        /// Its output.
        log: String,
    },
    /// The process reported an initialisation error.
    #[error("reported {report}; its output:\n{log}")]
    InitFailed {
        /// The error that it sent to the Runtime API.
        report: Value,
        /// Its output.
        log: String,
    },
    /// The process did nothing until the timeout.
    #[error("requested no event within {INIT_TIMEOUT:?}; its output:\n{log}")]
    TimedOut {
        /// Its output.
        log: String,
    },
}

impl LambdaProcess {
    /// Starts the binary with exactly these environment variables and Lambda's own.
    ///
    /// # Errors
    /// Fails if the function does not request an event.
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
            // A report counts even if the process ended right after it.
            biased;
            init = timeout(INIT_TIMEOUT, api.wait_for_init()) => init,
            status = child.wait() => {
                let status = status.expect("a child can be waited for");
                return Err(StartError::Exited { status, log: read_log(&log) });
            }
        };
        match init {
            Ok(InitState::Done(ready_at)) => {
                Ok(Self { api, child, log, init_time: ready_at.duration_since(started) })
            }
            Ok(InitState::Failed(report)) => Err(StartError::InitFailed { report, log: read_log(&log) }),
            Ok(InitState::Running) | Err(_) => Err(StartError::TimedOut { log: read_log(&log) }),
        }
    }

    /// Sends one event to the function. An error is what the function reported, or what Lambda reports if the
    /// function ends or exceeds its time.
    pub async fn invoke(&mut self, event: &Value) -> InvocationResult {
        self.invoke_within(event, INVOCATION_TIMEOUT).await
    }

    /// The same, with this timeout, which the function sees as its deadline.
    pub async fn invoke_within(&mut self, event: &Value, time: Duration) -> InvocationResult {
        tokio::select! {
            biased;
            outcome = timeout(time, self.api.invoke(event, time)) => outcome.unwrap_or_else(|_| {
                Err(json!({"errorType": "Sandbox.Timedout", "errorMessage": format!("no response; its output:\n{}", read_log(&self.log))}))
            }),
            status = self.child.wait() => {
                let status = status.expect("a child can be waited for");
                Err(json!({"errorType": "Runtime.ExitError", "errorMessage": format!("{status}; its output:\n{}", read_log(&self.log))}))
            }
        }
    }

    /// The time from the start of the process to its first request for an event.
    pub fn init_time(&self) -> Duration {
        self.init_time
    }

    /// The process id.
    pub fn process_id(&self) -> u32 {
        self.child.id().expect("the process still runs")
    }

    /// The CPU time that the threads of the process have used so far.
    pub fn cpu_time(&self) -> Duration {
        let threads =
            fs::read_dir(format!("/proc/{}/task", self.process_id())).expect("the process still runs");
        let nanoseconds = threads.filter_map(|thread| {
            // A thread may end meanwhile.
            let schedule = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            schedule.split(' ').next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(nanoseconds.sum())
    }

    /// The peak resident memory of the process so far, in bytes.
    pub fn peak_resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process_id()))
            .expect("the process still runs");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        peak.and_then(|kilobytes| kilobytes.parse::<u64>().ok()).expect("Linux states VmHWM in kB") * 1024
    }

    /// The processor time of all threads of the process so far. Zero after the process has ended.
    pub fn processor_time(&self) -> Duration {
        let threads =
            fs::read_dir(format!("/proc/{}/task", self.process_id())).into_iter().flatten().flatten();
        let nanoseconds = |thread: fs::DirEntry| {
            let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        };
        Duration::from_nanos(threads.filter_map(nanoseconds).sum())
    }

    /// The function's output so far.
    pub fn log(&self) -> String {
        read_log(&self.log)
    }

    /// Kills the process immediately, as a failing machine would.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("our own child can be killed");
    }
}

fn read_log(log: &NamedTempFile) -> String {
    String::from_utf8_lossy(&fs::read(log.path()).expect("our own file can be read")).into_owned()
}
