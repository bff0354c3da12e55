//! What building the packages needs beyond the compiler of `rust-toolchain.toml`: the standard library of the other
//! architecture, and zig, which links for it. Zig is used for the machine's own architecture, too, so that a package
//! does not depend on the machine's C library.

use std::error::Error;
use std::path::Path;

use super::build::Linker;
use crate::{TaskResult, command};

/// Checks that the tools for these targets are there.
///
/// # Errors
/// A sentence that names the missing tool, and how it is installed.
pub(crate) fn check(linker: Linker, targets: &[&str]) -> TaskResult {
    if linker == Linker::Zig && !succeeds("cargo-zigbuild", &["--version"]) {
        return Err("cargo-zigbuild is missing. It comes with zig: python3 -m venv target/zig && \
                    target/zig/bin/pip install --require-hashes -r .ci/package-tools.txt, then put target/zig/bin on \
                    the PATH"
            .into());
    }
    for target in targets {
        if !has_standard_library(target)? {
            return Err(format!(
                "Rust's standard library for {target} is missing: rustup target add {target}"
            )
            .into());
        }
    }
    Ok(())
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    command(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

fn has_standard_library(target: &str) -> Result<bool, Box<dyn Error>> {
    let mut rustc = command("rustc");
    let output = rustc.args(["--print", "target-libdir", "--target", target]).output()?;
    Ok(output.status.success() && Path::new(String::from_utf8(output.stdout)?.trim()).is_dir())
}
