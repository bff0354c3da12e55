//! Requests to the access keys' and Keystone's paths: what is asserted of them stands in `tests/src/fuzz/facades.rs`.
#![no_main]

imageshare_fuzz::feed!(facades::identity);
