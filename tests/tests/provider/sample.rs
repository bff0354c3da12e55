//! A configuration of the sample provider.

use std::fs;
use std::path::PathBuf;

use imageshare_tests::terraform::{Project, Release};
use tempfile::TempDir;

/// A project with a store.
pub(crate) struct Sample {
    pub(crate) project: Project,
    store: TempDir,
}

impl Sample {
    /// One with an empty store. Returns `None` after a notice if there is no Terraform.
    pub(crate) async fn new(release: Release) -> Option<Self> {
        let store = TempDir::new().unwrap();
        let project = Project::with_provider("sample", release).await?;
        let project = project.env("SAMPLE_STORE", store.path().to_str().unwrap());
        Some(Self { project, store })
    }

    /// Adds a variable of the environment.
    pub(crate) fn env(self, name: &str, value: &str) -> Self {
        Self { project: self.project.env(name, value), ..self }
    }

    /// Writes a configuration with one resource, `sample_thing.t` called `thing`, with these arguments.
    pub(crate) fn write_thing(&self, arguments: &str) {
        self.project.write(&thing(arguments));
    }

    /// The path of a file in the store.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.store.path().join(name)
    }

    /// The names of the files in the store.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.store.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// The resource `sample_thing.t`, called `thing`, with these arguments.
pub(crate) fn thing(arguments: &str) -> String {
    format!("resource \"sample_thing\" \"t\" {{\n  name = \"thing\"\n{arguments}\n}}\n")
}
