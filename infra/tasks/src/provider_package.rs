//! The Terraform provider as a release has it: a zip for each platform, their sums, and the registry's manifest. The same sources
//! are meant to give the same bytes, as with the functions' packages, whose builder this is.

use std::env::consts;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::packages::build::{self, Linker};
use crate::packages::{archive, report, toolchain};
use crate::{TaskResult, workspace};

/// The package and its binary.
const NAME: &str = "terraform-provider-imageshare";

/// The version, which is that of the workspace.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What tells Terraform's registry which protocol the provider has.
const MANIFEST: &str = include_str!("../../provider/terraform-registry-manifest.json");

/// Where the files go by default, below the workspace.
const DEFAULT_OUTPUT: &str = "target/provider";

/// A platform, by its name at Terraform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Platform {
    name: &'static str,
    /// The target for the compiler. On Linux the binary is static.
    target: &'static str,
    linker: Linker,
}

const PLATFORMS: [Platform; 4] = [
    Platform { name: "linux_amd64", target: "x86_64-unknown-linux-musl", linker: Linker::Zig },
    Platform { name: "linux_arm64", target: "aarch64-unknown-linux-musl", linker: Linker::Zig },
    Platform { name: "darwin_amd64", target: "x86_64-apple-darwin", linker: Linker::Own },
    Platform { name: "darwin_arm64", target: "aarch64-apple-darwin", linker: Linker::Own },
];

/// The arguments, as given or by default.
#[derive(Debug, PartialEq, Eq)]
struct Arguments {
    platforms: Vec<Platform>,
    output: Option<PathBuf>,
}

impl Arguments {
    /// Parses the arguments. Without a platform it is that of this machine.
    fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut parsed = Self { platforms: Vec::new(), output: None };
        let mut arguments = arguments.iter();
        while let Some(option) = arguments.next() {
            let expected = match option.as_str() {
                "--platform" => PLATFORMS.map(|platform| platform.name).join(", "),
                "--output" => "a directory".to_owned(),
                _ => return Err(format!("{option}: expected --platform or --output")),
            };
            let value = arguments.next().ok_or_else(|| format!("{option}: expected {expected} after it"))?;
            if option == "--output" {
                parsed.output = Some(PathBuf::from(value));
            } else {
                let platform = PLATFORMS.into_iter().find(|platform| platform.name == value);
                parsed
                    .platforms
                    .push(platform.ok_or_else(|| format!("--platform {value}: expected {expected}"))?);
            }
        }
        if parsed.platforms.is_empty() {
            parsed.platforms.push(this_machine()?);
        }
        Ok(parsed)
    }
}

/// The platform of this machine.
fn this_machine() -> Result<Platform, String> {
    let system = if consts::OS == "macos" { "apple-darwin" } else { "unknown-linux-musl" };
    let target = format!("{}-{system}", consts::ARCH);
    let found = PLATFORMS.into_iter().find(|platform| platform.target == target);
    found.ok_or_else(|| format!("there is no package for {target}: name another platform with --platform"))
}

/// Builds and zips the provider, and writes the sums and the manifest beside the zips. Prints a line for each zip.
///
/// # Errors
/// An argument is wrong, a tool is missing, the build fails, or a file cannot be written.
pub(crate) fn run(arguments: &[String]) -> TaskResult {
    let Arguments { platforms, output } = Arguments::parse(arguments)?;
    let output = output.unwrap_or_else(|| workspace().join(DEFAULT_OUTPUT));
    for platform in &platforms {
        toolchain::check(platform.linker, &[platform.target])?;
    }
    let mut files = Vec::new();
    for platform in platforms {
        println!("building for {} …", platform.name);
        let binaries = build::build(platform.target, platform.linker, &[NAME.to_owned()])?;
        let binary = fs::read(binaries.join(NAME))?;
        let zip = archive::zip(&format!("{NAME}_v{VERSION}"), &binary)?;
        let (size, zipped) = (report::grouped(binary.len()), report::grouped(zip.len()));
        println!("{}: {size} bytes, zipped {zipped}", platform.name);
        files.push((format!("{NAME}_{VERSION}_{}.zip", platform.name), zip));
    }
    files.push((format!("{NAME}_{VERSION}_manifest.json"), MANIFEST.into()));
    write(&output, &files)?;
    println!("{}", output.display());
    Ok(())
}

/// Writes files into a directory, with the sums of these and no others.
fn write(directory: &Path, files: &[(String, Vec<u8>)]) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(directory)?;
    let mut sums = String::new();
    for (name, contents) in files {
        fs::write(directory.join(name), contents)?;
        sums.push_str(&report::sum_line(Sha256::digest(contents).into(), name));
    }
    Ok(fs::write(directory.join(format!("{NAME}_{VERSION}_SHA256SUMS")), sums)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Arguments, String> {
        let owned: Vec<_> = arguments.iter().map(|&text| text.to_owned()).collect();
        Arguments::parse(&owned)
    }

    #[test]
    fn platforms_and_output_are_read() {
        let parsed = parse(&["--platform", "darwin_arm64", "--platform", "linux_arm64", "--output", "out"]);
        let parsed = parsed.unwrap();
        let names: Vec<_> = parsed.platforms.iter().map(|platform| platform.name).collect();
        assert_eq!(names, ["darwin_arm64", "linux_arm64"]);
        assert_eq!(parsed.output, Some(PathBuf::from("out")));
    }

    #[test]
    fn wrong_argument_is_named_with_what_is_expected() {
        let platforms = "linux_amd64, linux_arm64, darwin_amd64, darwin_arm64";
        for (wrong, expected) in [
            (&["linux"][..], "linux: expected --platform or --output".to_owned()),
            (&["--output"], "--output: expected a directory after it".to_owned()),
            (&["--platform", "windows"], format!("--platform windows: expected {platforms}")),
        ] {
            assert_eq!(parse(wrong), Err(expected));
        }
    }

    #[test]
    fn sums_and_manifest_lie_beside_the_zips() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), &[("a.zip".to_owned(), b"zip".to_vec())]).unwrap();
        let sums = fs::read_to_string(directory.path().join(format!("{NAME}_{VERSION}_SHA256SUMS"))).unwrap();
        assert_eq!(sums, "4a70fe9aa6436e02c2dea340fbd1e352e4ef2d8ce6ca52ad25d4b95471fc8bf2  a.zip\n");
        let manifest: serde_json::Value = serde_json::from_str(MANIFEST).unwrap();
        assert_eq!(manifest["metadata"]["protocol_versions"], serde_json::json!(["6.0"]));
    }
}
