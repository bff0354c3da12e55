//! Terraform on a throw-away copy of the module and of the tests' deployment, since it writes files beside them, such as the lock
//! file.

use std::env::consts;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use super::SetupError;
use super::program::Program;
use super::provider::{Source, cache_variables, lock_cache};

/// The folder of the module.
pub const MODULE: &str = "infra/aws";

/// The folder of the tests' deployment.
pub const DEPLOYMENT: &str = "tests/aws";

/// The folder of the examples of the workspace's own provider.
pub const EXAMPLES: &str = "infra/provider/examples";

/// Where Terraform finds the workspace's own provider: below the folder of a configuration, which it looks into without being told.
const PLUGINS: &str = "terraform.d/plugins";

/// A copy of one configuration, with its provider.
pub struct Terraform {
    program: Program,
    copy: TempDir,
    folder: &'static str,
    environment: Vec<(&'static str, String)>,
}

impl Terraform {
    /// Copies a folder of the workspace with what it needs, and runs `terraform init` there. `environment` is added to that of
    /// this process for each command.
    ///
    /// # Errors
    /// Terraform cannot be installed, or cannot get the provider.
    pub async fn init(
        workspace: &Path,
        folder: &'static str,
        environment: Vec<(&'static str, String)>,
    ) -> Result<Self, SetupError> {
        Self::copied(workspace, folder, environment).await?.initialised(&[]).await
    }

    /// The same for a configuration that needs the workspace's own provider, too, whose binary this is.
    ///
    /// # Errors
    /// Terraform cannot be installed, or cannot get the providers.
    pub async fn init_with_provider(
        workspace: &Path,
        folder: &'static str,
        provider: &Path,
    ) -> Result<Self, SetupError> {
        let terraform = Self::copied(workspace, folder, Vec::new()).await?;
        mirror_provider(provider, &terraform.path().join(folder).join(PLUGINS));
        terraform.initialised(&[&format!("-plugin-dir={PLUGINS}")]).await
    }

    /// A copy that is not initialised yet.
    async fn copied(
        workspace: &Path,
        folder: &'static str,
        environment: Vec<(&'static str, String)>,
    ) -> Result<Self, SetupError> {
        let copy = TempDir::new().expect("a temporary directory");
        for folder in [MODULE, DEPLOYMENT, EXAMPLES] {
            copy_configuration(&workspace.join(folder), &copy.path().join(folder));
        }
        fs::copy(workspace.join("infra/openapi.yaml"), copy.path().join("infra/openapi.yaml"))
            .expect("a copy");
        let program = Program::find(&workspace.join("tests")).await?;
        Ok(Self { program, copy, folder, environment })
    }

    /// Runs `terraform init` until the providers are found in one of the places. `further` are the arguments for a provider of the
    /// workspace, if the place is a mirror.
    async fn initialised(self, further: &[&str]) -> Result<Self, SetupError> {
        let _alone = lock_cache().await;
        let mut problems = String::new();
        for source in Source::all()? {
            let arguments = source.init_arguments();
            let mut arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            if matches!(source, Source::Mirror(_)) {
                arguments.extend(further);
            }
            match self.command(&arguments).envs(cache_variables()).output().await {
                Ok(ended) if ended.status.success() => return Ok(self),
                Ok(ended) => problems.push_str(&output_text(&ended)),
                Err(problem) => problems.push_str(&problem.to_string()),
            }
        }
        let advice = "IMAGESHARE_PROVIDER_MIRROR may name a directory that mirrors Terraform's registry";
        Err(SetupError(format!("terraform init: {problems}\n{advice}")))
    }

    /// The folder of the copy.
    pub fn path(&self) -> &Path {
        self.copy.path()
    }

    /// Runs one command and returns its output.
    ///
    /// # Panics
    /// It failed.
    pub async fn run(&self, arguments: &[&str]) -> String {
        let ended = self.command(arguments).output().await.expect("terraform runs");
        let text = output_text(&ended);
        assert!(ended.status.success(), "terraform {arguments:?}: {}\n{text}", ended.status);
        String::from_utf8_lossy(&ended.stdout).into_owned()
    }

    /// Creates or changes the resources.
    pub async fn apply(&self) {
        self.run(&["apply", "-auto-approve", "-no-color", "-parallelism=30"]).await;
    }

    /// Destroys the resources.
    pub async fn destroy(&self) {
        self.run(&["destroy", "-auto-approve", "-no-color", "-parallelism=30"]).await;
    }

    /// The deployment's outputs.
    pub async fn outputs(&self) -> Value {
        let text = self.run(&["output", "-json"]).await;
        serde_json::from_str(&text).expect("JSON")
    }

    /// What an apply would change: `ADDRESS ATTRIBUTE` for each attribute of a resource, and `ADDRESS create` or `ADDRESS
    /// delete`.
    pub async fn planned_changes(&self) -> Vec<String> {
        let plan = self.path().join("plan");
        let plan = plan.to_str().expect("a path in UTF-8");
        self.run(&["plan", "-no-color", &format!("-out={plan}")]).await;
        let plan: Value = serde_json::from_str(&self.run(&["show", "-json", plan]).await).expect("JSON");
        let resources = plan["resource_changes"].as_array().into_iter().flatten();
        resources.flat_map(changes_of_resource).collect()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.program.command(arguments);
        command
            .current_dir(self.path().join(self.folder))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("TF_IN_AUTOMATION", "1")
            .env("TF_INPUT", "0")
            .env("CHECKPOINT_DISABLE", "1");
        command
    }
}

fn changes_of_resource(resource: &Value) -> Vec<String> {
    let address = resource["address"].as_str().unwrap_or_default();
    let change = &resource["change"];
    match change["actions"].as_array().map(Vec::as_slice) {
        Some([action]) if action == "no-op" || action == "read" => Vec::new(),
        Some([action]) if action == "update" => {
            let attributes = change["after"].as_object().expect("an object");
            let changed = attributes.keys().filter(|name| change["before"][*name] != change["after"][*name]);
            changed.map(|name| format!("{address} {name}")).collect()
        }
        actions => actions
            .into_iter()
            .flatten()
            .map(|action| format!("{address} {}", action.as_str().unwrap_or_default()))
            .collect(),
    }
}

/// Puts a provider into a directory that mirrors Terraform's registry, unpacked.
fn mirror_provider(binary: &Path, mirror: &Path) {
    let system = if consts::OS == "macos" { "darwin" } else { consts::OS };
    let architecture = if consts::ARCH == "aarch64" { "arm64" } else { "amd64" };
    let version = env!("CARGO_PKG_VERSION");
    let folder =
        mirror.join(format!("registry.terraform.io/imageshare/imageshare/{version}/{system}_{architecture}"));
    fs::create_dir_all(&folder).expect("a folder");
    symlink(binary, folder.join(format!("terraform-provider-imageshare_v{version}"))).expect("a link");
}

fn output_text(ended: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr))
}

/// Copies the files of a configuration with its folders, but not what Terraform itself has written there.
fn copy_configuration(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).unwrap_or_else(|problem| panic!("{}: {problem}", from.display())) {
        let entry = entry.expect("an entry");
        let (name, path) = (entry.file_name(), entry.path());
        if path.is_dir() && name != ".terraform" {
            copy_configuration(&path, &to.join(name));
        } else if path.extension().is_some_and(|end| end == "tf" || end == "hcl" || end == "json")
            && name != ".terraform.lock.hcl"
        {
            fs::copy(&path, to.join(name)).expect("a copy");
        }
    }
}
