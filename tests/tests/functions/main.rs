//! The functions' real binaries, run by a stand-in for Lambda's Runtime API, and the tests of that stand-in.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod harness;
mod wiring;
