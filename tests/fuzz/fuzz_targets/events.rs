//! Events of the table's stream and of schedules: what is asserted of them stands in `tests/src/fuzz/events.rs`.
#![no_main]

imageshare_fuzz::feed!(events::run);
