//! Malformed and malicious requests for every operation of the document: always a 4xx in the common form, never a
//! 5xx, never a panic; nothing is written, and nothing of another project is shown.
//!
//! Each module is one part of a request and a list of attacks on it, which are made on every operation. A new
//! operation needs its valid values in `world.rs`, and is then attacked like the others. The console's pages are found in its sources.

mod arbitrary_bodies;
mod bodies;
mod forms;
mod headers;
mod key_injection;
mod methods;
mod pages;
mod paths;
mod queries;
mod resources;
mod signals;
mod unknown_members;
mod wire;
mod world;
