//! Queries, strict JSON, ids, positions in a list, times and keys; `tests/src/fuzz/decoders.rs` has the assertions.
#![no_main]

imageshare_fuzz::feed!(decoders::run);
