//! Events of the table's stream and of schedules; `tests/src/fuzz/events.rs` has the assertions.
#![no_main]

imageshare_fuzz::feed!(events::run);
