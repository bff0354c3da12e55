//! Signed requests of every kind; `tests/src/fuzz/signatures.rs` has the assertions.
#![no_main]

imageshare_fuzz::feed!(signatures::run);
