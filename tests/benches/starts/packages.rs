//! The packages under measurement.

use std::env::consts::ARCH;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use imageshare_routes::Document;
use tempfile::TempDir;
use zip::ZipArchive;

/// Where `cargo task packages` puts those of this machine's architecture.
pub fn default_directory() -> PathBuf {
    let architecture = if ARCH == "aarch64" { "arm64" } else { ARCH };
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/packages").join(architecture)
}

/// Unpacks the package of every function into a new directory, under the function's name.
pub fn unpack(directory: &Path) -> TempDir {
    let unpacked = TempDir::new().expect("a directory");
    for function in Document::load().expect("the routes").functions() {
        let path = directory.join(format!("{function}.zip"));
        let file = File::open(&path)
            .unwrap_or_else(|problem| panic!("{}: {problem}; cargo task packages makes it", path.display()));
        let mut zip = ZipArchive::new(file).expect("a zip");
        let mut bootstrap = zip.by_name("bootstrap").expect("a package has a bootstrap");
        let binary = unpacked.path().join(function);
        std::io::copy(&mut bootstrap, &mut File::create(&binary).expect("our own file")).expect("a binary");
        fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).expect("our own file");
    }
    unpacked
}
