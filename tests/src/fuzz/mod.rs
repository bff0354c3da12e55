//! What each fuzz target of `tests/fuzz` does with an input. It is here so that the ordinary tests run every input of
//! the corpus, too.
//!
//! A target checks one part of the code for more than panics; each module lists its assertions. A target panics if
//! its input shows a bug.

pub mod decoders;
pub mod events;
pub mod facades;
mod fixture;
pub mod image_events;
pub mod markers;
mod request_text;
pub mod signatures;
pub mod table;
pub mod tokens;
pub mod values;

/// A fuzz target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, which is also that of its corpus.
    pub name: &'static str,
    /// Runs an input. Returns whether the target could use it.
    pub run: fn(&[u8]) -> bool,
}

/// Every target.
pub const TARGETS: [Target; 11] = [
    Target { name: "alibaba", run: facades::alibaba },
    Target { name: "decoders", run: decoders::run },
    Target { name: "events", run: events::run },
    Target { name: "glance", run: facades::glance },
    Target { name: "identity", run: facades::identity },
    Target { name: "image-events", run: image_events::run },
    Target { name: "ims", run: facades::ims },
    Target { name: "markers", run: markers::run },
    Target { name: "signatures", run: signatures::run },
    Target { name: "tokens", run: tokens::run },
    Target { name: "values", run: values::run },
];
