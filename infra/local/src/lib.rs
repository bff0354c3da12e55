//! The whole service on one machine: the binary `imageshare`.
//!
//! [`gateway`] takes HTTP requests and hands them, as the events that API Gateway makes of them, to the functions
//! that run on AWS one by one. [`table`] is the DynamoDB under them, in this process. [`dispatcher`] stands in for the
//! table's stream and its schedule. [`server`] puts these together; [`cli`], [`issuers`], [`keys`], [`logging`], [`metrics`],
//! [`signals`] and [`descriptors`] are what the binary needs besides, and [`backup`] keeps what a server has written, telling its
//! [`progress`].
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

pub mod access_key;
pub mod backup;
pub mod cli;
pub mod client;
pub mod clock_keeper;
pub mod descriptors;
pub mod dispatcher;
pub mod gateway;
pub mod issuers;
pub mod keys;
pub mod logging;
pub mod metrics;
mod private_file;
pub mod progress;
pub mod server;
pub mod signals;
pub mod table;
pub mod tenants;

/// The name of the one table.
pub const TABLE: &str = "imageshare";
