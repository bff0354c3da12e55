//! Builds what is packaged, with the profile `deploy`.
//!
//! The same sources are meant to give the same bytes, wherever they are and whoever builds them: paths of the machine are replaced
//! in what the compiler writes, the compiler's version is that of `rust-toolchain.toml`, the crates are those of
//! `Cargo.lock`, and nothing is taken from the builder's own flags.

use std::env;
use std::error::Error;
use std::path::PathBuf;

use crate::{command, run, workspace};

/// 1980-01-01, for tools that write a date; as in the zips.
const SOURCE_DATE_EPOCH: &str = "315532800";

/// The name of a function's package in the workspace.
pub(super) fn cargo_package(function: &str) -> String {
    format!("imageshare-{function}")
}

/// What links a binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Linker {
    /// Zig, which links for any Linux: the target may end with a version of glibc, as in `x86_64-unknown-linux-gnu.2.34`.
    Zig,
    /// The machine's own.
    Own,
}

/// Builds packages of the workspace for a target in one call of cargo, whose output is shown. Takes minutes. Returns the
/// directory of the binaries.
///
/// # Errors
/// The build fails.
pub(crate) fn build(target: &str, linker: Linker, packages: &[String]) -> Result<PathBuf, Box<dyn Error>> {
    let target_directory = target_directory();
    let mut cargo = command("cargo");
    cargo.arg(match linker {
        Linker::Zig => "zigbuild",
        Linker::Own => "build",
    });
    cargo.args(["--locked", "--profile", "deploy", "--target", target]);
    cargo.arg("--target-dir").arg(&target_directory);
    for package in packages {
        cargo.args(["--package", package]);
    }
    for flags in ["RUSTFLAGS", "CFLAGS", "CXXFLAGS", "RUSTC_WRAPPER"] {
        cargo.env_remove(flags);
    }
    cargo
        .env("CARGO_ENCODED_RUSTFLAGS", remapped_paths()?.join("\u{1f}"))
        .env("CARGO_INCREMENTAL", "0")
        .env("SOURCE_DATE_EPOCH", SOURCE_DATE_EPOCH);
    run(&mut cargo)?;
    let triple = target.split('.').next().unwrap_or(target);
    Ok(target_directory.join(triple).join("deploy"))
}

/// Cargo's directory for what it builds.
fn target_directory() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

/// The compiler's flags that replace paths of this machine: of the sources and of the crates.
fn remapped_paths() -> Result<Vec<String>, Box<dyn Error>> {
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| Some(env::home_dir()?.join(".cargo")));
    let cargo_home = cargo_home.ok_or("the home directory is unknown: set CARGO_HOME")?;
    let remap = |path: PathBuf, name: &str| format!("--remap-path-prefix={}={name}", path.display());
    Ok(vec![remap(workspace().canonicalize()?, "/imageshare"), remap(cargo_home, "/cargo")])
}
