//! The module `infra/aws`, and a deployment of it on an emulator of AWS, with the real function binaries and real clients.
//! [`imageshare_tests::aws`] lists the programs that this needs. Without them these tests print a notice and pass; in CI they
//! fail.

mod ami_life;
mod client;
mod console;
mod deployment;
mod documents;
mod gateway_errors;
mod module;
mod permissions;
mod policies;
mod readme;
mod redrive;
mod secrets;
mod terraform_provider;

use std::path::Path;

/// The folder of these tests.
fn tests() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where Python environments are kept.
fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// The workspace.
fn workspace() -> &'static Path {
    tests().parent().expect("the tests are a folder of the workspace")
}
