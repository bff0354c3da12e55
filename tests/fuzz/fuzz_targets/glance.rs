//! Requests to Glance's paths, with bodies, JSON patches, filters and markers; `tests/src/fuzz/facades.rs` has the assertions.
#![no_main]

imageshare_fuzz::feed!(facades::glance);
