//! Requests to Glance's paths, with bodies, JSON patches, filters and markers: what is asserted of them stands in `tests/src/fuzz/facades.rs`.
#![no_main]

imageshare_fuzz::feed!(facades::glance);
