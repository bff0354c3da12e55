//! The functions' packages, of the binaries that the tests are built with anyway.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::binaries::binary;

/// Packages each of those functions for Lambda: `FUNCTION.zip` with the binary, without its symbols, as `bootstrap`.
/// `version` is a file in each, so that packages of another version are other packages.
///
/// # Errors
/// What cannot be run.
pub fn package_functions(
    functions: &[String],
    version: &str,
    folder: &Path,
) -> Result<(), super::SetupError> {
    for function in functions {
        let contents = folder.join(function);
        fs::create_dir_all(&contents).expect("a folder");
        fs::write(contents.join("VERSION"), version).expect("a file");
        run(Command::new("strip").arg("-o").arg(contents.join("bootstrap")).arg(binary(function)))?;
        let zip = ["-m", "zipfile", "-c"];
        let package = folder.join(format!("{function}.zip"));
        run(Command::new("python3")
            .args(zip)
            .arg(package)
            .args(["bootstrap", "VERSION"])
            .current_dir(&contents))?;
        fs::remove_dir_all(contents).expect("a folder of this test");
    }
    Ok(())
}

fn run(command: &mut Command) -> Result<(), super::SetupError> {
    let ended = command.output().map_err(|problem| super::SetupError(format!("{command:?}: {problem}")))?;
    assert!(ended.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ended.stderr));
    Ok(())
}
