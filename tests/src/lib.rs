//! What tests of the service from outside are built from: the functions as Lambda runs them, a DynamoDB that they
//! reach over HTTP, and the events that AWS would send them.
//!
//! ```text
//! test ── Event ──► LambdaProcess ── runtime API ──► target/…/share ── HTTP ──► TableServer ◄── SDK ── test
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::missing_panics_doc, reason = "a test that cannot have what it needs fails there and then")]

pub mod api;
pub mod api_document;
pub mod binaries;
pub mod blocking_table;
pub mod budget;
pub mod conflicting_table;
pub mod counting_table;
pub mod deployment;
pub mod events;
pub mod fuzz;
pub mod gated_table;
mod http_server;
pub mod in_process;
pub mod issuer;
pub mod lambda_process;
pub mod local_service;
pub mod notice;
pub mod python;
pub mod response;
pub mod runtime_api;
mod schema;
pub mod server_process;
pub mod signature_vectors;
pub mod signer;
pub mod stalling_proxy;
mod table_faults;
pub mod table_server;
pub mod totals;
