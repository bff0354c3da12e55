//! Signed requests of every kind: what is asserted of them stands in `tests/src/fuzz/signatures.rs`.
#![no_main]

imageshare_fuzz::feed!(signatures::run);
