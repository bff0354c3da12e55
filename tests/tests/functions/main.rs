//! The functions' real binaries, run by a stand-in for Lambda's Runtime API, and the tests of that stand-in.

mod cost;
mod harness;
mod metrics;
mod wiring;
