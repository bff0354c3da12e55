//! The Terraform provider of imageshare.
//!
//! ```text
//! resources   what users declare: one file for each kind
//! data        what users look up: one file for each kind
//! provider    the configuration, and what the provider consists of
//! api         the client of the service: calls, retries, pages, jobs
//! server      the procedures of the protocol over the traits of a provider: decode, call, check, encode
//! plan        what a change will look like
//! schema      attributes, defaults, validators, rules, timeouts
//! diagnostic  errors and warnings for the user
//! value       Terraform's values, in MessagePack and JSON
//! protocol    the messages of Terraform's plugin protocol 6
//! docs        the pages of the registry, from the schemas: tests only
//! plugin      how Terraform starts the process and reaches it: handshake, socket, TLS, gRPC, log
//! ```
//!
//! Where endpoint and credential come from is the crate `imageshare-credentials`, since the command line takes them from there too.
//!
//! To follow one operation, read `resources/vault.rs`, then `server/rpc/resource.rs`, which calls it.
#![deny(missing_docs)]

pub mod api;
mod data;
pub mod diagnostic;
#[cfg(test)]
mod docs;
pub mod plan;
pub mod plugin;
pub mod protocol;
mod provider;
mod resources;
pub mod schema;
pub mod server;
pub mod value;

use std::process::ExitCode;
use std::sync::Arc;

pub use provider::Imageshare;

use server::{Provider, Server};

/// Serves a provider until Terraform is done with it, and returns the exit code of the process.
pub fn run(provider: impl Provider) -> ExitCode {
    let address = provider.address();
    let server = Arc::new(Server::new(provider));
    let stop = server.stop_token();
    plugin::serve(server, address, &stop)
}
