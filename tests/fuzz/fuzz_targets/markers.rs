//! Page markers: what is asserted of them stands in `tests/src/fuzz/markers.rs`.
#![no_main]

imageshare_fuzz::feed!(markers::run);
