//! Page markers; `tests/src/fuzz/markers.rs` has the assertions.
#![no_main]

imageshare_fuzz::feed!(markers::run);
