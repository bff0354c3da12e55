//! Where Terraform gets the provider `hashicorp/aws` from.
//!
//! 1. `IMAGESHARE_PROVIDER_MIRROR=DIRECTORY`, or a directory of `/opt`, that mirrors the registry
//!    (`registry.terraform.io/hashicorp/aws/…` in it), as machines without a network have one;
//! 2. whatever Terraform itself is configured to use: a mirror of its CLI configuration, its implied directories such as
//!    `~/.terraform.d/plugins`, or the registry. What it downloads is kept for the next test.

use std::env;
use std::fs::{self, File};
use std::path::PathBuf;

use super::SetupError;
use super::program::target;

/// The path of the provider in a mirror.
const IN_MIRROR: &str = "registry.terraform.io/hashicorp/aws";

/// A place to initialise a configuration from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A directory that mirrors the registry.
    Mirror(PathBuf),
    /// Terraform's own configuration.
    Configured,
}

impl Source {
    /// The places in the order in which they are tried.
    ///
    /// # Errors
    /// The environment names a directory without the provider.
    pub(super) fn all() -> Result<Vec<Self>, SetupError> {
        if let Some(directory) = env::var_os("IMAGESHARE_PROVIDER_MIRROR").map(PathBuf::from) {
            if directory.join(IN_MIRROR).is_dir() {
                return Ok(vec![Self::Mirror(directory)]);
            }
            let directory = directory.display();
            return Err(SetupError(format!("IMAGESHARE_PROVIDER_MIRROR: {directory} has no {IN_MIRROR}")));
        }
        let entries = fs::read_dir("/opt").into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        let mirrors = entries.filter(|directory| directory.join(IN_MIRROR).is_dir()).map(Self::Mirror);
        Ok(mirrors.chain([Self::Configured]).collect())
    }

    /// The arguments of Terraform that initialise a configuration from here.
    pub(super) fn init_arguments(&self) -> Vec<String> {
        let mut arguments = vec!["init".to_owned(), "-no-color".to_owned()];
        if let Self::Mirror(directory) = self {
            arguments.push(format!("-plugin-dir={}", directory.display()));
        }
        arguments
    }
}

/// The variables with which Terraform keeps what it downloads, unless its own configuration says where.
pub(super) fn cache_variables() -> Vec<(&'static str, String)> {
    if env::var_os("TF_PLUGIN_CACHE_DIR").is_some() {
        return Vec::new();
    }
    let cache = target().join("terraform-providers");
    fs::create_dir_all(&cache).expect("a folder");
    vec![
        ("TF_PLUGIN_CACHE_DIR", cache.to_str().expect("a path in UTF-8").to_owned()),
        // The copies of the configurations have no lock file, without which the cache would not be read.
        ("TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE", "true".to_owned()),
    ]
}

/// A lock against other initialisations, which the cache of providers does not take; released when it is dropped.
pub(super) async fn lock_cache() -> File {
    let lock = || {
        let file = File::create(target().join("terraform-providers.lock"))?;
        file.lock().map(|()| file)
    };
    tokio::task::spawn_blocking(lock).await.expect("no panic").expect("a lock file")
}
