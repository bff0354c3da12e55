//! Terraform itself: the program on the path, or else the library that the Python index has.

use std::env;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio::process::Command;
use tokio::sync::OnceCell;

use super::SetupError;
use crate::python;

/// The oldest version that the module works with, as in `infra/aws/versions.tf`.
const OLDEST: (u64, u64) = (1, 9);

/// How Terraform is called.
#[derive(Debug, Clone)]
pub struct Program {
    program: PathBuf,
    script: Option<PathBuf>,
}

impl Program {
    /// Finds Terraform once for this process. `tests` is the folder of these tests.
    ///
    /// # Errors
    /// There is none on the path that is new enough, and none can be installed.
    pub async fn find(tests: &Path) -> Result<Self, SetupError> {
        static FOUND: OnceCell<Program> = OnceCell::const_new();
        let found = FOUND.get_or_try_init(|| async {
            let installed = Self { program: "terraform".into(), script: None };
            if installed.version().await.is_some_and(|version| version >= OLDEST) {
                return Ok(installed);
            }
            Self::newest(tests).await.map_err(|SetupError(problem)| {
                let (major, minor) = OLDEST;
                SetupError(format!(
                    "there is no Terraform {major}.{minor} or later on the path, and: {problem}"
                ))
            })
        });
        found.await.cloned()
    }

    /// The newest version that the Python index has. `tests` is the folder of these tests.
    ///
    /// # Errors
    /// It cannot be installed.
    pub async fn newest(tests: &Path) -> Result<Self, SetupError> {
        let aws = tests.join("aws");
        let python = python::with_requirements(&aws.join("terraform.txt"), &target()).await;
        let python = python.map_err(|problem| SetupError(problem.to_string()))?;
        Ok(Self { program: python, script: Some(aws.join("terraform.py")) })
    }

    /// A command of it.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.script).args(arguments).env("PYTHONDONTWRITEBYTECODE", "1").kill_on_drop(true);
        command
    }

    /// Major and minor version; `None` if it cannot be run.
    async fn version(&self) -> Option<(u64, u64)> {
        let ended = self.command(&["version", "-json"]).output().await.ok()?;
        let version: Value = serde_json::from_slice(&ended.stdout).ok()?;
        let mut numbers = version["terraform_version"].as_str()?.split('.').map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    }
}

/// Where cargo lets tests keep files: `tmp` in the target directory, which the test binary lies in.
pub(super) fn target() -> PathBuf {
    let binary = env::current_exe().expect("a test binary has a path");
    binary.ancestors().nth(3).expect("target/PROFILE/deps/BINARY").join("tmp")
}
