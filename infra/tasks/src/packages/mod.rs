//! The functions' packages for Lambda: one zip each, built so that the same sources give the same bytes.
//!
//! [`toolchain`] checks what is needed, [`build`] builds all functions of an architecture in one call of cargo,
//! [`archive`] puts each binary into its zip, and [`report`] writes the sums and the table of sizes.

mod architecture;
pub(crate) mod archive;
mod arguments;
pub(crate) mod build;
pub(crate) mod report;
pub(crate) mod toolchain;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use imageshare_routes::Document;

use self::architecture::Architecture;
use self::arguments::Arguments;
use self::build::Linker;
use self::report::Package;
use crate::{TaskResult, workspace};

/// The version of glibc in Amazon Linux 2023, which the functions run on.
const GLIBC: &str = "2.34";

/// Where the packages go by default, below the workspace.
const DEFAULT_OUTPUT: &str = "target/packages";

/// Builds and zips the functions of `infra/openapi.yaml`, or those that are named, into `OUTPUT/ARCHITECTURE`. Prints
/// a line before each step that takes long, and a table of sizes and sums in the end.
///
/// # Errors
/// An argument is wrong, a tool is missing, the build fails, a file cannot be written, or a package is too large.
pub(crate) fn run(arguments: &[String]) -> TaskResult {
    let functions = Document::load()?.functions().into_iter().map(str::to_owned).collect::<Vec<_>>();
    let arguments = Arguments::parse(arguments, &functions)?;
    let output = arguments.output.unwrap_or_else(|| workspace().join(DEFAULT_OUTPUT));
    let targets: Vec<_> = arguments.architectures.iter().map(|architecture| architecture.target()).collect();
    toolchain::check(Linker::Zig, &targets)?;
    let mut too_large = Vec::new();
    for architecture in arguments.architectures {
        let directory = output.join(architecture.name());
        let packages = package(architecture, &arguments.functions, &directory)?;
        report::write_sums(&packages, &directory)?;
        print!("{}", report::table(&packages, &directory));
        too_large.extend(report::too_large(&packages));
    }
    if too_large.is_empty() { Ok(()) } else { Err(too_large.join("\n").into()) }
}

/// Builds functions for an architecture, and zips them into a directory, which holds nothing else afterwards.
fn package(
    architecture: Architecture,
    functions: &[String],
    directory: &Path,
) -> Result<Vec<Package>, Box<dyn Error>> {
    println!("building {} for {} …", count(functions.len(), "function"), architecture.name());
    let started = Instant::now();
    let packages: Vec<_> = functions.iter().map(|function| build::cargo_package(function)).collect();
    let target = format!("{}.{GLIBC}", architecture.target());
    let binaries = build::build(&target, Linker::Zig, &packages)?;
    println!("built in {} s; zipping …", started.elapsed().as_secs());
    clear(directory)?;
    functions
        .iter()
        .map(|function| {
            let binary = fs::read(binaries.join(function))?;
            let zip = archive::zip(archive::BOOTSTRAP, &binary)?;
            fs::write(directory.join(format!("{function}.zip")), &zip)?;
            Ok(Package::new(architecture, function, binary.len(), &zip))
        })
        .collect()
}

/// Creates a directory for packages, or removes what an earlier run has left in it.
fn clear(directory: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(directory)?;
    for entry in fs::read_dir(directory)? {
        let path: PathBuf = entry?.path();
        let is_ours = path.extension().is_some_and(|extension| extension == "zip")
            || path.file_name().is_some_and(|name| name == report::HASHES || name == report::SUMS);
        if !is_ours {
            return Err(format!(
                "{} is not a file of this task: name an empty directory with --output",
                path.display()
            )
            .into());
        }
        fs::remove_file(path)?;
    }
    Ok(())
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directory_with_other_files_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("share.zip"), "old").unwrap();
        clear(directory.path()).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        fs::write(directory.path().join("letter.txt"), "mine").unwrap();
        let error = clear(directory.path()).unwrap_err().to_string();
        assert!(error.contains("letter.txt is not a file of this task"), "{error}");
        assert!(directory.path().join("letter.txt").exists());
    }

    #[test]
    fn every_function_is_a_package_of_its_name() {
        for function in Document::load().unwrap().functions() {
            let manifest = workspace().join(format!("functions/{function}/Cargo.toml"));
            let manifest = fs::read_to_string(&manifest).unwrap();
            assert!(
                manifest.contains(&format!("name = \"{}\"\n", build::cargo_package(function))),
                "{function}"
            );
        }
    }
}
