//! What the console's tests need to drive a browser: Chromium, and the packages of npm's index, installed under `target/` once for
//! each lock file.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::notice::print_notice;

/// Why there is no browser to drive.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A program is missing.
    #[error("{0} is not installed")]
    Missing(&'static str),
    /// A program failed.
    #[error("{program}: {reason}")]
    Failed {
        /// The program.
        program: &'static str,
        /// What it printed.
        reason: String,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] io::Error),
}

/// The names of Chromium's program, by distribution.
const CHROMIUM: [&str; 2] = ["chromium", "chromium-browser"];

/// The path of Chromium.
///
/// # Errors
/// [`SetupError::Missing`] if it is not installed.
pub fn find_chromium() -> Result<PathBuf, SetupError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let candidates = std::env::split_paths(&path).flat_map(|folder| CHROMIUM.map(|name| folder.join(name)));
    candidates.into_iter().find(|path| path.is_file()).ok_or(SetupError::Missing("chromium"))
}

/// The folder in which the packages of a lock file are installed, from npm's index if need be. `target` is where such folders
/// are kept.
///
/// # Errors
/// [`SetupError`] if Node or npm is missing, or npm fails.
pub async fn install_packages(sources: &Path, target: &Path) -> Result<PathBuf, SetupError> {
    let (sources, target) = (sources.to_owned(), target.to_owned());
    let installed = tokio::task::spawn_blocking(move || install_packages_blocking(&sources, &target));
    installed.await.expect("no panic")
}

fn install_packages_blocking(sources: &Path, target: &Path) -> Result<PathBuf, SetupError> {
    run("node", Command::new("node").arg("--version"))?;
    let lock = fs::read(sources.join("package-lock.json"))?;
    let folder = target.join(format!("console-{:x}", Sha256::digest(&lock)));
    let complete = folder.join("complete");
    let alone = File::create(target.join("console.lock"))?;
    alone.lock()?;
    if complete.exists() {
        return Ok(folder);
    }
    print_notice(&format_args!("installing npm packages into {}", folder.display()));
    fs::create_dir_all(&folder)?;
    for name in ["package.json", "package-lock.json"] {
        fs::copy(sources.join(name), folder.join(name))?;
    }
    let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
    run("npm", Command::new("npm").args(arguments).current_dir(&folder))?;
    File::create(complete)?;
    Ok(folder)
}

fn run(program: &'static str, command: &mut Command) -> Result<(), SetupError> {
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let reason = String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr);
            Err(SetupError::Failed { program, reason })
        }
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => Err(SetupError::Missing(program)),
        Err(problem) => Err(problem.into()),
    }
}
