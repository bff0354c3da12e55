//! Malformed and malicious requests for every operation of the document: always an error of the caller in the one form,
//! never one of the server, never a panic; nothing is written, and nothing of another project is shown.
//!
//! Each module is one place of a request and a list of attacks on it, which is made on every operation. A new operation
//! needs its good values in `world.rs`, and is then attacked like the others.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod arbitrary_bodies;
mod bodies;
mod forms;
mod headers;
mod key_injection;
mod methods;
mod paths;
mod queries;
mod resources;
mod signals;
mod wire;
mod world;
