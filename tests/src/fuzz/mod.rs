//! What the fuzz targets of `tests/fuzz` do with an input. It stands here so that the ordinary tests do the same with every
//! input of the corpus.
//!
//! One target is one room of the code, and asks more of it than not to panic: each module says what. A target panics where
//! its input shows a bug.

pub mod decoders;
pub mod events;
pub mod facades;
mod fixture;
pub mod markers;
mod request_text;
pub mod signatures;
pub(crate) mod table;
pub mod tokens;

/// A fuzz target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, which is also that of its corpus.
    pub name: &'static str,
    /// Takes an input. Returns whether it was one that this target makes something of.
    pub run: fn(&[u8]) -> bool,
}

/// Every target.
pub const TARGETS: [Target; 9] = [
    Target { name: "alibaba", run: facades::alibaba },
    Target { name: "decoders", run: decoders::run },
    Target { name: "events", run: events::run },
    Target { name: "glance", run: facades::glance },
    Target { name: "identity", run: facades::identity },
    Target { name: "ims", run: facades::ims },
    Target { name: "markers", run: markers::run },
    Target { name: "signatures", run: signatures::run },
    Target { name: "tokens", run: tokens::run },
];
