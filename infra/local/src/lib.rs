//! The whole service on one machine: the binary `imageshare`.
//!
//! [`gateway`] accepts HTTP requests, turns each into the event that API Gateway would send, and calls its function.
//! [`functions`] are the same as on AWS, here in one process. [`table`] is the embedded DynamoDB that they use, and
//! [`remote`] a table in DynamoDB itself, which several servers share. [`dispatcher`] and `effects` replace the table's
//! stream and the schedule of the sweep, [`bus`] and `events_api` replace EventBridge. [`clock_keeper`] keeps the clock from going back across restarts. [`server`] starts and
//! stops all of these.
//!
//! [`cli`] parses the command line, and `main.rs` runs its commands: [`server`], [`backup`] with its [`progress`],
//! [`remote::create`], and [`health`], [`access_key`], [`tenants`] and [`events`], which call a server over its own API
//! ([`client`]).

pub mod access_key;
pub mod backup;
pub mod bus;
pub mod cli;
pub mod client;
pub mod clock_keeper;
pub mod console_link;
pub mod descriptors;
pub mod dispatcher;
pub mod effects;
pub mod events;
mod events_api;
pub mod functions;
pub mod gateway;
pub mod health;
pub mod issuers;
mod key_error;
pub mod keys;
pub mod logging;
pub mod metrics;
mod private_file;
pub mod progress;
pub mod remote;
pub mod server;
pub mod signals;
pub mod table;
pub mod tenants;

/// The name of the service's table, in the database and in events.
pub const TABLE: &str = "imageshare";
