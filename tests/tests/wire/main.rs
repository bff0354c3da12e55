//! What passes between processes over HTTP: `imageshare serve` and its commands as an operator and a client meet them,
//! requests to the byte, and the servers that tokens come from.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod access_keys;
mod hostile;
mod issuers;
mod journey;
mod log;
mod operator;
mod readme;
mod tenants;
