//! Requests to IMS's paths, batches, lists and jobs; `tests/src/fuzz/facades.rs` has the assertions.
#![no_main]

imageshare_fuzz::feed!(facades::ims);
