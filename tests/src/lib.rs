//! What tests of the service from outside are built from: the functions as Lambda runs them, a DynamoDB that they
//! reach over HTTP, and the events that AWS would send them.
//!
//! ```text
//! test ── Event ──► LambdaProcess ── runtime API ──► target/…/share ── HTTP ──► TableServer ◄── SDK ── test
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::missing_panics_doc, reason = "a test that cannot have what it needs fails there and then")]

pub mod api;
pub mod binaries;
pub mod budget;
pub mod conflicting_table;
pub mod counted_table;
pub mod direct_table;
pub mod document;
pub mod events;
pub mod fuzz;
pub mod gated_table;
mod http_server;
pub mod in_process;
pub mod issuer;
pub mod lambda_process;
pub mod python;
pub mod relay;
pub mod runtime_api;
mod schema;
pub mod server;
pub mod service;
pub mod signer;
pub mod sums;
mod table_faults;
pub mod table_server;
pub mod tell;
pub mod vectors;
pub mod world;
