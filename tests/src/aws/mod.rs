//! A whole deployment as Terraform makes it on AWS, on an emulator of AWS: the module `infra/aws` by a real
//! `hashicorp/aws` provider, the real function binaries, and an address that real clients can use.
//!
//! ```text
//! client ──► ApiAddress ──► emulated HTTP API ──► function binary ──► emulated DynamoDB ── stream ──► job-worker
//! ```
//!
//! It needs Python with its package index, from which Terraform comes too where it is not installed, and the provider from
//! one of the places in `provider.rs`.

mod api_address;
mod emulator;
mod enforced_stage;
mod packages;
mod program;
mod provider;
mod setup;
mod terraform;

pub use self::api_address::ApiAddress;
pub use self::emulator::Emulator;
pub use self::enforced_stage::{EnforcedStage, kind_of_statement};
pub use self::packages::package_functions;
pub use self::program::Program;
pub use self::setup::{SetupError, available};
pub use self::terraform::Terraform;

/// The region of the emulated deployment.
pub const REGION: &str = "eu-central-1";
