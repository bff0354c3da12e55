//! The binary `imageshare serve` as a process, on a free port.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A running server, killed when it is dropped.
pub struct ServerProcess {
    /// Its address, as `127.0.0.1:PORT`.
    pub address: String,
    process: Child,
    binary: PathBuf,
    data_directory: String,
    log: Arc<Mutex<String>>,
}

impl ServerProcess {
    /// Starts the binary with these arguments, and waits until it listens: on a free port, unless they name an address.
    pub async fn start(binary: &Path, arguments: &[&str]) -> Self {
        Self::start_with_env(binary, arguments, Vec::new()).await
    }

    /// The same, with this log level.
    pub async fn start_with_log_level(binary: &Path, arguments: &[&str], level: &str) -> Self {
        Self::start_with_env(binary, arguments, vec![("RUST_LOG", level.to_owned())]).await
    }

    /// The same, with these additional environment variables.
    pub async fn start_with_env(
        binary: &Path,
        arguments: &[&str],
        environment: Vec<(&'static str, String)>,
    ) -> Self {
        let (binary, arguments) =
            (binary.to_owned(), arguments.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>());
        tokio::task::spawn_blocking(move || Self::start_blocking(binary, &arguments, environment))
            .await
            .expect("a started server")
    }

    fn start_blocking(
        binary: PathBuf,
        arguments: &[String],
        environment: Vec<(&'static str, String)>,
    ) -> Self {
        let is_placed = arguments.iter().any(|argument| argument == "--listen");
        let free_port: &[&str] = if is_placed { &[] } else { &["--listen", "127.0.0.1:0"] };
        let mut process = Command::new(&binary)
            .arg("serve")
            .args(free_port)
            .args(arguments)
            .env("RUST_LOG", "warn,imageshare=info")
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|problem| panic!("cannot run {}: {problem}", binary.display()));
        let log = Arc::new(Mutex::new(String::new()));
        let mut errors = process.stderr.take().expect("a pipe");
        let log_copy = Arc::clone(&log);
        let logging = thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(length @ 1..) = errors.read(&mut chunk) {
                let mut log = log_copy.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                // The benchmark's servers log a lot; the first and the latest lines are enough to find a fault.
                if log.len() > 1 << 20 {
                    log.clear();
                }
                log.push_str(&String::from_utf8_lossy(&chunk[..length]));
            }
        });
        let mut first = String::new();
        BufReader::new(process.stdout.take().expect("a pipe")).read_line(&mut first).expect("a line");
        let Some(address) = first.trim_end().strip_prefix("listening on http://") else {
            let _ = process.kill();
            let ended = process.wait();
            let _ = logging.join();
            panic!(
                "the server did not start: {ended:?}: {}",
                log.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
            );
        };
        let address = address.to_owned();
        let data = find_data_directory(arguments, &log);
        Self { address, process, binary, data_directory: data, log }
    }

    /// Returns a token for a project and a role, made by `imageshare token`.
    pub fn token(&self, project: &str, role: &str) -> String {
        let made = Command::new(&self.binary)
            .args(["token", "--project", project, "--role", role, "--data", &self.data_directory])
            .output()
            .expect("imageshare token");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        String::from_utf8(made.stdout).expect("text").trim_end().to_owned()
    }

    /// The directory of its signing key, for the commands that make tokens.
    pub fn data_directory(&self) -> &str {
        &self.data_directory
    }

    /// The log so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// The address of its metrics, as `127.0.0.1:PORT`. It has to be started with `--metrics`.
    pub fn metrics_address(&self) -> String {
        let address = wait_for_text(&self.log, |log| log.split("\"metrics\":\"").nth(1)?.split('"').next());
        address.expect("the server says where its metrics are")
    }

    /// Its resident memory, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        self.memory_bytes("VmRSS:")
    }

    /// Its peak resident memory, in bytes.
    pub fn peak_resident_bytes(&self) -> u64 {
        self.memory_bytes("VmHWM:")
    }

    fn memory_bytes(&self, name: &str) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("a process");
        let line = status.lines().find(|line| line.starts_with(name)).expect("a line of it");
        let kib: u64 = line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).expect("a number");
        kib * 1024
    }

    /// Its limit of open file descriptors.
    pub fn descriptor_limit(&self) -> u64 {
        let limits =
            std::fs::read_to_string(format!("/proc/{}/limits", self.process.id())).expect("a process");
        let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).expect("its line");
        line.split_whitespace().next().and_then(|text| text.parse().ok()).expect("a number")
    }

    /// The processor time that it has used, to a hundredth of a second.
    pub fn cpu_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).expect("a process");
        // The name may contain any character but ends at the last bracket; user and system time are the 12th and 13th
        // field after it.
        let fields = stat.rsplit(')').next().expect("fields").split_whitespace().skip(11).take(2);
        let ticks: u64 = fields.map(|ticks| ticks.parse::<u64>().expect("ticks")).sum();
        Duration::from_millis(ticks * 10)
    }

    /// Kills it immediately with `kill -9`, as a power cut would.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Sends SIGTERM, waits, and returns the exit code.
    pub fn terminate(&mut self) -> Option<i32> {
        self.run_signal_command("kill -TERM $0");
        self.wait()
    }

    /// Sends signals with a shell command, in which `$0` is the process id.
    pub fn run_signal_command(&self, command: &str) {
        let sent = Command::new("sh").args(["-c", command, &self.process.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()));
    }

    /// Waits until it ends. Returns its exit code.
    pub fn wait(&mut self) -> Option<i32> {
        self.process.wait().expect("its end").code()
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The directory of the server's signing key: the one that it was given, or the one that it prints.
fn find_data_directory(arguments: &[String], log: &Mutex<String>) -> String {
    if let Some(given) = arguments.iter().skip_while(|argument| *argument != "--data").nth(1) {
        return given.clone();
    }
    let hint = wait_for_text(log, |log| log.split("--data ").nth(1)?.split_whitespace().next());
    hint.expect("the server says how to get a token")
}

/// Waits until a text can be found in the log; `None` if that takes two seconds.
fn wait_for_text(log: &Mutex<String>, find: impl Fn(&str) -> Option<&str>) -> Option<String> {
    for _ in 0..100 {
        let printed = log.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        if let Some(found) = find(&printed) {
            return Some(found.to_owned());
        }
        thread::sleep(Duration::from_millis(20));
    }
    None
}
