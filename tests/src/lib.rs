//! The fixtures of the tests: functions run as by Lambda, a DynamoDB over HTTP, the events that AWS sends.
//!
//! ```text
//! test ── Event ──► LambdaProcess ── runtime API ──► target/…/share ── HTTP ──► TableServer ◄── SDK ── test
//! ```
#![warn(missing_docs)]

pub mod api;
pub mod api_document;
pub mod aws;
pub mod aws_signer;
pub mod binaries;
pub mod blocking_table;
pub mod browser;
pub mod budget;
pub mod bus_server;
pub mod checked_bus;
pub mod conflicting_table;
pub mod console_pages;
pub mod console_texts;
pub mod counting_table;
mod delegate;
pub mod deployment;
pub mod deployment_checks;
pub mod events;
pub mod fuzz;
pub mod gated_table;
pub mod held_table;
pub mod http_server;
pub mod in_process;
pub mod issuer;
pub mod journey;
pub mod lambda_process;
pub mod local_service;
pub mod notice;
pub mod permissions;
pub mod priced_table;
pub mod python;
pub mod racing_table;
pub mod recording_proxy;
pub mod response;
pub mod runtime_api;
mod schema;
pub mod secret_server;
pub mod server_process;
pub mod signature_vectors;
pub mod signer;
pub mod stalling_proxy;
mod table_faults;
pub mod table_server;
pub mod terraform;
pub mod totals;
pub mod visitor;
