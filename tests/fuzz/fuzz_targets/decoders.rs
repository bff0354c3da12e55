//! Queries, strict JSON, ids, positions in a list, times and keys: what is asserted of them stands in `tests/src/fuzz/decoders.rs`.
#![no_main]

imageshare_fuzz::feed!(decoders::run);
