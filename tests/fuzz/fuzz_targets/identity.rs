//! Requests to the access keys' and Keystone's paths; `tests/src/fuzz/facades.rs` has the assertions.
#![no_main]

imageshare_fuzz::feed!(facades::identity);
