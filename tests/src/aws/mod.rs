//! A whole deployment as Terraform makes it on AWS, on an emulator of AWS: the module `infra/aws` by a real
//! `hashicorp/aws` provider, the real function binaries, and an address that real clients can use.
//!
//! ```text
//! client ──► ApiAddress ──► emulated HTTP API ──► function binary ──► emulated DynamoDB ── stream ──► job-worker
//! ```
//!
//! It needs Terraform with that provider, and Python with its package index. `terraform init` finds the provider as it
//! always does; where there is no network, in a directory of `/opt` that mirrors the registry, or where
//! `TF_CLI_ARGS_init=-plugin-dir=DIRECTORY` says.

mod api_address;
mod emulator;
mod enforced_stage;
mod packages;
mod setup;
mod terraform;

pub use self::api_address::ApiAddress;
pub use self::emulator::Emulator;
pub use self::enforced_stage::{EnforcedStage, kind_of_statement};
pub use self::packages::package_functions;
pub use self::setup::{SetupError, available};
pub use self::terraform::Terraform;

/// The region of the emulated deployment.
pub const REGION: &str = "eu-central-1";
