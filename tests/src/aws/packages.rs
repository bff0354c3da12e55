//! The functions' packages, made from the binaries that other tests use, too.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::binaries::binary;

/// Packages functions for Lambda: `FUNCTION.zip` with the binary, stripped, as `bootstrap`. Each has a file with `version`, so that
/// the packages of two versions differ.
///
/// # Errors
/// `strip` or Python cannot be run.
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
