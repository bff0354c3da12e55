//! What is said of the packages: their sizes, for people, and their sums, for `sha256sum` and the Terraform module.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::architecture::Architecture;

/// The SHA-256 of each package in base64, as the module's `packages.hashes` takes them.
pub(super) const HASHES: &str = "hashes.json";

/// The same in the format of `sha256sum --check`.
pub(super) const SUMS: &str = "SHA256SUMS";

/// The largest package that is accepted, since Lambda fetches it at each cold start.
const MAX_ZIP_BYTES: usize = 3_000_000;

/// The same for `console`, which has the templates of its pages, and the use cases of all other functions.
const MAX_CONSOLE_ZIP_BYTES: usize = 4_000_000;

/// A function's package.
pub(super) struct Package {
    architecture: Architecture,
    function: String,
    binary_bytes: usize,
    zip_bytes: usize,
    sha256: [u8; 32],
}

impl Package {
    pub(super) fn new(architecture: Architecture, function: &str, binary_bytes: usize, zip: &[u8]) -> Self {
        let sha256 = Sha256::digest(zip).into();
        Self { architecture, function: function.to_owned(), binary_bytes, zip_bytes: zip.len(), sha256 }
    }

    fn file_name(&self) -> String {
        format!("{}.zip", self.function)
    }
}

/// Writes [`HASHES`] and [`SUMS`] beside the packages.
///
/// # Errors
/// A file cannot be written.
pub(super) fn write_sums(packages: &[Package], directory: &Path) -> Result<(), Box<dyn Error>> {
    let hashes: BTreeMap<_, _> =
        packages.iter().map(|package| (&package.function, STANDARD.encode(package.sha256))).collect();
    fs::write(directory.join(HASHES), serde_json::to_string_pretty(&hashes)? + "\n")?;
    let sums = packages.iter().map(|package| sum_line(package.sha256, &package.file_name()));
    Ok(fs::write(directory.join(SUMS), sums.collect::<String>())?)
}

/// A line of a file for `sha256sum --check`.
pub(crate) fn sum_line(sha256: [u8; 32], name: &str) -> String {
    let mut line = String::new();
    for byte in sha256 {
        // Writing into a text does not fail.
        let _ = write!(line, "{byte:02x}");
    }
    line + "  " + name + "\n"
}

/// The table of the packages in a directory.
pub(super) fn table(packages: &[Package], directory: &Path) -> String {
    let row =
        |name: &str, binary: &str, zip: &str, sum: &str| format!("{name:<14}{binary:>12}{zip:>12}  {sum}\n");
    let rows = packages.iter().map(|package| {
        let (binary, zip) = (grouped(package.binary_bytes), grouped(package.zip_bytes));
        row(&package.function, &binary, &zip, &STANDARD.encode(package.sha256))
    });
    let head = row("function", "binary", "zip", "SHA-256 of the zip");
    format!("{}\n{head}{}", directory.display(), rows.collect::<String>())
}

/// The largest zip of a function.
fn max_zip_bytes(function: &str) -> usize {
    if function == "console" { MAX_CONSOLE_ZIP_BYTES } else { MAX_ZIP_BYTES }
}

/// A sentence for each package that is too large.
pub(super) fn too_large(packages: &[Package]) -> Vec<String> {
    let too_large = packages.iter().filter(|package| package.zip_bytes > max_zip_bytes(&package.function));
    let sentence = |package: &Package| {
        format!(
            "{} for {} has {} bytes, and a package may have {}: infra/aws/docs/packages.md says what is in it",
            package.file_name(),
            package.architecture.name(),
            grouped(package.zip_bytes),
            grouped(max_zip_bytes(&package.function))
        )
    };
    too_large.map(sentence).collect()
}

/// A number with commas between its thousands.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_packages() {
        let directory = tempfile::tempdir().unwrap();
        write_sums(&[Package::new(Architecture::Arm64, "share", 9, b"zip")], directory.path()).unwrap();
        let read = |name| fs::read_to_string(directory.path().join(name)).unwrap();
        let sum = "4a70fe9aa6436e02c2dea340fbd1e352e4ef2d8ce6ca52ad25d4b95471fc8bf2";
        assert_eq!(read(SUMS), format!("{sum}  share.zip\n"));
        let hash = "SnD+mqZDbgLC3qNA+9HjUuTvLYzmylKtJdS5VHH8i/I=";
        assert_eq!(read(HASHES), format!("{{\n  \"share\": \"{hash}\"\n}}\n"));
    }

    #[test]
    fn package_above_the_limit_is_reported() {
        let zip = vec![0; MAX_ZIP_BYTES + 1];
        let packages = [
            Package::new(Architecture::X86_64, "images", 1, &zip),
            Package::new(Architecture::X86_64, "share", 1, &zip[1..]),
            Package::new(Architecture::X86_64, "console", 1, &zip),
        ];
        let report = too_large(&packages);
        assert_eq!(report.len(), 1);
        assert!(report[0].starts_with("images.zip for x86_64 has 3,000,001 bytes"), "{}", report[0]);
        let pages = vec![0; MAX_CONSOLE_ZIP_BYTES + 1];
        let report = too_large(&[Package::new(Architecture::Arm64, "console", 1, &pages)]);
        assert!(
            report[0].ends_with("may have 4,000,000: infra/aws/docs/packages.md says what is in it"),
            "{report:?}"
        );
        assert!(table(&packages, Path::new("out")).contains("images                   1   3,000,001  "));
    }
}
