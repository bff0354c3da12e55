//! Bearer tokens; `tests/src/fuzz/tokens.rs` has the assertions.
#![no_main]

imageshare_fuzz::feed!(tokens::run);
