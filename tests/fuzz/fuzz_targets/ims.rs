//! Requests to IMS's paths, batches, lists and jobs: what is asserted of them stands in `tests/src/fuzz/facades.rs`.
#![no_main]

imageshare_fuzz::feed!(facades::ims);
