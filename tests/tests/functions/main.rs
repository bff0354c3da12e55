//! The functions' real binaries, run by a stand-in for Lambda's Runtime API, and the tests of that stand-in.

mod harness;
mod metrics;
mod permissions;
mod wiring;
