//! Events that the function `image-events` gets; `tests/src/fuzz/image_events.rs` has the assertions.
#![no_main]

imageshare_fuzz::feed!(image_events::run);
