//! The Python environments of the real clients and of the emulator, under `target/`, made once for each list of requirements.

use std::env;
use std::fmt::Display;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::notice::print_notice;

/// Why no environment could be made.
#[derive(Debug, Clone, thiserror::Error)]
#[error("Python packages cannot be installed: {0}")]
pub struct SetupError(String);

/// Which releases of the clients are installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// The newest.
    Newest,
    /// The oldest that have every call of their journeys and run on current versions of Python.
    Oldest,
}

impl Release {
    /// The file that lists them.
    fn requirements_file(self) -> &'static str {
        match self {
            Self::Newest => "requirements.txt",
            Self::Oldest => "oldest.txt",
        }
    }
}

/// Returns the interpreter with this release of the clients installed. The first call of a process creates the
/// environment from the Python index if necessary, which takes a minute or two. If that fails, prints why and returns
/// `None`; fails the test in CI.
pub async fn client_python(tests: &Path, target: &Path, release: Release) -> Option<PathBuf> {
    static NEWEST: OnceLock<Result<PathBuf, SetupError>> = OnceLock::new();
    static OLDEST: OnceLock<Result<PathBuf, SetupError>> = OnceLock::new();
    let cell = match release {
        Release::Newest => &NEWEST,
        Release::Oldest => &OLDEST,
    };
    let (requirements, target) = (tests.join("clients").join(release.requirements_file()), target.to_owned());
    let made = tokio::task::spawn_blocking(move || {
        cell.get_or_init(|| create_environment(&requirements, &target)).clone()
    });
    or_skip("the real clients", made.await.expect("no panic"))
}

/// What was made, such as an interpreter, or `None` after printing why there is none; fails the test in CI.
///
/// # Panics
/// In CI, if there is none.
pub fn or_skip<T>(clients: &str, made: Result<T, impl Display>) -> Option<T> {
    match made {
        Ok(found) => Some(found),
        Err(problem) if env::var_os("CI").is_some_and(|value| !value.is_empty()) => {
            panic!("{clients} did not run: {problem}")
        }
        Err(problem) => {
            print_notice(&format_args!("{clients} did not run: {problem}"));
            None
        }
    }
}

/// The interpreter that has those requirements installed, from the Python index if need be, which takes a minute or two.
/// `target` is where environments are kept.
///
/// # Errors
/// Python or its index cannot be used.
pub async fn with_requirements(requirements: &Path, target: &Path) -> Result<PathBuf, SetupError> {
    let (requirements, target) = (requirements.to_owned(), target.to_owned());
    let created = tokio::task::spawn_blocking(move || create_environment(&requirements, &target));
    created.await.expect("no panic")
}

fn create_environment(requirements: &Path, target: &Path) -> Result<PathBuf, SetupError> {
    let text = fs::read(requirements).map_err(|problem| SetupError(problem.to_string()))?;
    let home = target.join(format!("clients-{:x}", Sha256::digest(&text)));
    let (python, complete) = (home.join("bin/python"), home.join("complete"));
    if complete.exists() {
        return Ok(python);
    }
    let _alone = lock_environment(target)?;
    if complete.exists() {
        return Ok(python);
    }
    print_notice(&format_args!("installing Python packages into {}", home.display()));
    let _ = fs::remove_dir_all(&home);
    run_command(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "-r"];
    run_command(Command::new(&python).args(pip).arg(requirements))?;
    fs::write(complete, "").map_err(|problem| SetupError(problem.to_string()))?;
    Ok(python)
}

/// A lock against other test processes, released when it is dropped.
fn lock_environment(target: &Path) -> Result<File, SetupError> {
    let file = File::create(target.join("clients.lock")).and_then(|file| file.lock().map(|()| file));
    file.map_err(|problem| SetupError(problem.to_string()))
}

fn run_command(command: &mut Command) -> Result<(), SetupError> {
    let program = command.get_program().to_string_lossy().into_owned();
    match command.output() {
        Ok(Output { status, .. }) if status.success() => Ok(()),
        Ok(Output { status, stdout, stderr }) => Err(SetupError(format!(
            "{program} ended with {status}: {}{}",
            String::from_utf8_lossy(&stdout),
            String::from_utf8_lossy(&stderr)
        ))),
        Err(problem) => Err(SetupError(format!("{program}: {problem}"))),
    }
}

/// The timeout of a client's journey, however slow the machine: `glance` is a new process for each step.
pub const CLIENT_TIMEOUT: Duration = Duration::from_mins(30);
