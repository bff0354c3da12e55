//! Bearer tokens: what is asserted of them stands in `tests/src/fuzz/tokens.rs`.
#![no_main]

imageshare_fuzz::feed!(tokens::run);
