//! A folder with a configuration, and the commands of Terraform in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::Ended;
use crate::aws::{Program, SetupError};
use crate::binaries::provider_binary;
use crate::python::or_skip;

/// Which Terraform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// The one on the path; where there is none, the newest.
    Installed,
    /// The newest that the Python index has.
    Newest,
}

/// A configuration with its state.
pub struct Project {
    program: Program,
    folder: TempDir,
    provider: &'static str,
    environment: Vec<(String, String)>,
}

impl Project {
    /// An empty configuration that uses the provider `imageshare`. Returns `None` after a notice if there is no Terraform.
    ///
    /// # Panics
    /// There is no Terraform, in CI.
    pub async fn new(release: Release) -> Option<Self> {
        Self::with_provider("imageshare", release).await
    }

    /// The same with the provider of another binary of the workspace, `terraform-provider-NAME`.
    ///
    /// # Panics
    /// There is no Terraform, in CI.
    pub async fn with_provider(name: &'static str, release: Release) -> Option<Self> {
        let program = find_program(release).await?;
        let binary = tokio::task::spawn_blocking(move || provider_binary(name));
        let binary = binary.await.expect("no panic");
        Some(Self::over(program, name, binary.parent().expect("a directory")))
    }

    /// The same with the provider that is in this directory. Nothing is built.
    ///
    /// # Panics
    /// There is no Terraform, in CI.
    pub async fn with_directory(name: &'static str, release: Release, directory: &Path) -> Option<Self> {
        Some(Self::over(find_program(release).await?, name, directory))
    }

    fn over(program: Program, provider: &'static str, directory: &Path) -> Self {
        let folder = TempDir::new().expect("a temporary directory");
        let project = Self { program, folder, provider, environment: Vec::new() };
        project.write_file("cli.tfrc", &cli_configuration(provider, directory));
        project.write("");
        project
    }

    /// Sets a variable of the environment of every later command.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Replaces the configuration. The block that requires the provider is added.
    pub fn write(&self, configuration: &str) {
        let name = self.provider;
        let required = format!(
            "terraform {{\n  required_providers {{\n    {name} = {{ source = \"imageshare/{name}\" }}\n  }}\n}}\n"
        );
        self.write_file("main.tf", &format!("{required}{configuration}"));
    }

    /// Writes another file of the folder.
    pub fn write_file(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).expect("a file");
    }

    /// The folder.
    pub fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// A command of Terraform, not started yet.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.program.command(arguments);
        command
            .current_dir(self.folder.path())
            .env("TF_CLI_CONFIG_FILE", self.folder.path().join("cli.tfrc"))
            .env("TF_IN_AUTOMATION", "1")
            .env("TF_INPUT", "0")
            .env("CHECKPOINT_DISABLE", "1")
            // With a proxy set, the provider would not connect to a server on this machine.
            .env("NO_PROXY", "127.0.0.1")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end, whatever that is.
    pub async fn run(&self, arguments: &[&str]) -> Ended {
        let output = self.command(arguments).output().await.expect("terraform runs");
        Ended::new(arguments.join(" "), &output)
    }

    /// Starts a command, which [`Self::wait`] waits for.
    pub fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("terraform runs")
    }

    /// Waits for the end of a started command.
    pub async fn wait(&self, child: Child) -> Ended {
        Ended::new("(started)".to_owned(), &child.wait_with_output().await.expect("its end"))
    }

    /// Applies the configuration.
    pub async fn try_apply(&self) -> Ended {
        self.run(&["apply", "-auto-approve", "-no-color"]).await
    }

    /// Applies the configuration, and panics if that fails.
    pub async fn apply(&self) -> Ended {
        self.try_apply().await.expect_success()
    }

    /// Destroys everything, and panics if that fails.
    pub async fn destroy(&self) -> Ended {
        self.run(&["destroy", "-auto-approve", "-no-color"]).await.expect_success()
    }

    /// Plans, and panics if that fails.
    pub async fn plan(&self) -> Ended {
        self.run(&["plan", "-no-color"]).await.expect_success()
    }

    /// What an apply would do, as `ADDRESS ACTION`: `create`, `update`, `delete`, or `replace`.
    pub async fn planned_changes(&self) -> Vec<String> {
        let plan = self.planned().await;
        let changes = plan["resource_changes"].as_array().into_iter().flatten();
        changes
            .filter_map(|change| Some(format!("{} {}", change["address"].as_str()?, action(change)?)))
            .collect()
    }

    /// The plan, as `terraform show -json` has it.
    pub async fn planned(&self) -> Value {
        self.run(&["plan", "-no-color", "-out=plan"]).await.expect_success();
        let shown = self.run(&["show", "-json", "plan"]).await.expect_success();
        serde_json::from_str(&shown.stdout).expect("JSON")
    }

    /// Panics if an apply would do anything.
    pub async fn expect_no_changes(&self) {
        let ended = self.run(&["plan", "-no-color", "-detailed-exitcode"]).await;
        assert_eq!(ended.code, Some(0), "a change is planned\n{ended:?}");
    }

    /// Imports a resource by its id.
    pub async fn import(&self, address: &str, id: &str) -> Ended {
        self.run(&["import", "-no-color", address, id]).await
    }

    /// The attributes of a resource or a data source in the state; null if it is not there.
    pub async fn state(&self, address: &str) -> Value {
        let state = self.show().await;
        let resources = state.pointer("/values/root_module/resources").and_then(Value::as_array);
        let found = resources.into_iter().flatten().find(|resource| resource["address"] == address);
        found.map(|resource| resource["values"].clone()).unwrap_or_default()
    }

    /// The value of an output.
    pub async fn output(&self, name: &str) -> Value {
        self.show().await["values"]["outputs"][name]["value"].clone()
    }

    /// The whole state, as `terraform show -json` has it.
    pub async fn show(&self) -> Value {
        let shown = self.run(&["show", "-json"]).await.expect_success();
        serde_json::from_str(&shown.stdout).expect("JSON")
    }

    /// The text of the state as stored; empty before the first apply.
    pub fn stored_state(&self) -> String {
        fs::read_to_string(self.path().join("terraform.tfstate")).unwrap_or_default()
    }

    /// Forgets the state, as if nothing had been applied.
    pub fn forget_state(&self) {
        let _ = fs::remove_file(self.path().join("terraform.tfstate"));
    }
}

async fn find_program(release: Release) -> Option<Program> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = match release {
        Release::Installed => Program::find(tests).await,
        Release::Newest => Program::newest(tests).await,
    };
    or_skip("the provider with Terraform", found.map_err(|SetupError(problem)| problem))
}

/// Terraform's own configuration: this provider from that directory, and no other from anywhere.
fn cli_configuration(provider: &str, directory: &Path) -> String {
    format!(
        "provider_installation {{\n  dev_overrides {{ \"imageshare/{provider}\" = \"{}\" }}\n  \
         filesystem_mirror {{ path = \"mirror\" }}\n}}\n",
        directory.display()
    )
}

/// What is done to a resource; `None` if it stays as it is.
fn action(change: &Value) -> Option<&str> {
    match change["change"]["actions"].as_array()?.as_slice() {
        [action] if action == "no-op" || action == "read" => None,
        [action] => action.as_str(),
        _ => Some("replace"),
    }
}
