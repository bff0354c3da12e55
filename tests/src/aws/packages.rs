//! The functions' packages, made from the binaries that other tests use, too.

use std::path::Path;
use std::process::Command;

use super::SetupError;
use crate::binaries::binary;

/// Packages functions for Lambda into `folder`: `FUNCTION.zip` with the binary, stripped, as `bootstrap`. In a folder that has
/// the packages already they become those of another version, with another hash.
///
/// # Errors
/// Python or `strip` cannot be run.
pub fn package_functions(functions: &[String], version: &str, folder: &Path) -> Result<(), SetupError> {
    let mut command = Command::new("python3");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/aws/package.py")).arg(folder).arg(version);
    command.args(functions.iter().map(|name| format!("{name}={}", binary(name).display())));
    let ended = command.output().map_err(|problem| SetupError(format!("{command:?}: {problem}")))?;
    if ended.status.success() {
        return Ok(());
    }
    Err(SetupError(format!("packages: {}", String::from_utf8_lossy(&ended.stderr))))
}
